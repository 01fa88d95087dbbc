//! `dayfly serve`: a folder over HTTP, to try a first boot with.

mod answer;
mod client;
mod files;
mod range;
mod request;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::signal::{SigSet, Signal};

use files::Folder;

/// The most clients at a time. Each takes a thread and two file descriptors; the usual limit of a process is 1024 descriptors.
const CLIENTS: usize = 256;

/// Serves a folder over HTTP, to try a first boot with; not for production
///
/// GET and HEAD of the files in DIR and below, single ranges, and a log line per request. It has no TLS, no users and no
/// protection on an open network; boot a cluster from nginx or the like. Ctrl-C ends it.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The folder to serve
    dir: PathBuf,
    /// Where to listen, with an IPv6 address in brackets; [::]:8080 is IPv6 and IPv4
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:8080", value_parser = listen)]
    listen: SocketAddr,
    /// Follow symbolic links out of DIR too; without this only relative links that stay inside are followed
    #[arg(long)]
    follow_links: bool,
}

/// What all connections share.
struct Site {
    folder: Folder,
    log: Log,
    clients: AtomicUsize,
}

/// The log on standard output, and its totals.
struct Log {
    started: Instant,
    requests: AtomicU64,
    bytes: AtomicU64,
    is_quiet: bool,
}

impl Log {
    fn new(is_quiet: bool) -> Self {
        Self { started: Instant::now(), requests: AtomicU64::new(0), bytes: AtomicU64::new(0), is_quiet }
    }

    fn line(&self, text: &str) {
        if self.is_quiet {
            return;
        }
        let seconds = self.started.elapsed().as_secs_f32();
        // The reader may have closed standard output (`dayfly serve … | head`); keep serving.
        let _ = writeln!(std::io::stdout().lock(), "{seconds:9.3} {text}");
    }

    /// Logs an answered request: `sent` of the `of` bytes of its body went out.
    fn request(&self, peer: IpAddr, request: &str, status: u16, sent: u64, of: u64, more: &str) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(sent, Ordering::Relaxed);
        let of = if sent == of { String::new() } else { format!(" of {of}") };
        self.line(&format!("{peer} {request} {status} {sent}{of}{more}"));
    }
}

fn listen(text: &str) -> std::result::Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = if text.parse::<u16>().is_ok() { text } else { "8080" };
        format!("expected an address and a port, like 0.0.0.0:{port}")
    })
}

/// Runs the command until Ctrl-C or SIGTERM.
pub fn run(args: &ServeArgs) -> Result<()> {
    let folder = Folder::open(&args.dir, args.follow_links)?;
    // Every thread inherits the mask, so that only `wait` below takes the signals.
    let end = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    end.thread_block().context("cannot block SIGINT and SIGTERM")?;
    let listener = TcpListener::bind(args.listen).with_context(|| {
        format!("cannot listen on {}; choose another address or port with --listen ADDR:PORT", args.listen)
    })?;
    let address = listener.local_addr().context("the listening socket has no address")?;
    let site = Arc::new(Site { folder, log: Log::new(false), clients: AtomicUsize::new(0) });

    let mut head = format!("dayfly serve: {} over HTTP, for tests, not for production\n", args.dir.display());
    for line in reachable(address) {
        // Writing to a String cannot fail.
        let _ = writeln!(head, "  {line}");
    }
    head.push_str("seconds, client, request, status, bytes of the body; Ctrl-C ends it\n");
    // The reader may have closed standard output, as for the log.
    let _ = std::io::stdout().lock().write_all(head.as_bytes());

    let serving = Arc::clone(&site);
    thread::spawn(move || accept(&listener, &serving));
    let signal = end.wait().context("cannot wait for SIGINT and SIGTERM")?;
    let log = &site.log;
    let cut = match site.clients.load(Ordering::Relaxed) {
        0 => String::new(),
        count => format!("; {count} connections were open"),
    };
    let (requests, bytes) = (log.requests.load(Ordering::Relaxed), log.bytes.load(Ordering::Relaxed));
    log.line(&format!("{signal}: ended after {requests} requests and {bytes} bytes{cut}"));
    Ok(())
}

/// Serves a folder on a free port of 127.0.0.1, without a log, until the process ends. Follows links.
pub fn in_background(folder: &Path) -> Result<SocketAddr> {
    let folder = Folder::open(folder, true)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on 127.0.0.1")?;
    let address = listener.local_addr().context("the listening socket has no address")?;
    let site = Arc::new(Site { folder, log: Log::new(true), clients: AtomicUsize::new(0) });
    thread::spawn(move || accept(&listener, &site));
    Ok(address)
}

/// The URLs under which other machines may reach the server, with the interface of each.
fn reachable(address: SocketAddr) -> Vec<String> {
    if !address.ip().is_unspecified() {
        return vec![format!("http://{address}/")];
    }
    let mut urls = Vec::new();
    // If the interfaces cannot be listed, the port at least is known.
    for interface in getifaddrs().into_iter().flatten() {
        let up = interface.flags.contains(InterfaceFlags::IFF_UP);
        let Some(storage) = interface.address.filter(|_| up) else { continue };
        let ip = match (storage.as_sockaddr_in(), storage.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            // A link-local address needs a zone, which URLs cannot have.
            (_, Some(v6)) if address.is_ipv6() && !v6.ip().is_unicast_link_local() => IpAddr::V6(v6.ip()),
            _ => continue,
        };
        let url = format!("http://{}/", SocketAddr::new(ip, address.port()));
        let only = if ip.is_loopback() { ", from this machine only" } else { "" };
        urls.push(format!("{url}  ({}{only})", interface.interface_name));
    }
    if urls.is_empty() {
        urls.push(format!("http://{address}/"));
    }
    urls
}

/// Accepts connections for ever. If the kernel refuses one (no file or thread is free), logs this once and tries again.
fn accept(listener: &TcpListener, site: &Arc<Site>) {
    let mut told = String::new();
    loop {
        let outcome = listener.accept().map(|(stream, peer)| {
            let guard = Client::new(site);
            let name = format!("client {peer}");
            thread::Builder::new().name(name).spawn(move || guard.serve(&stream, peer))
        });
        match outcome.and_then(|started| started) {
            Ok(_) => told.clear(),
            Err(error) => {
                let error = error.to_string();
                if error != told {
                    site.log.line(&format!("cannot accept a connection: {error}; trying again"));
                    told = error;
                }
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// Counts as one open connection as long as it lives.
struct Client {
    site: Arc<Site>,
    is_one_too_many: bool,
}

impl Client {
    fn new(site: &Arc<Site>) -> Self {
        let before = site.clients.fetch_add(1, Ordering::Relaxed);
        Self { site: Arc::clone(site), is_one_too_many: before >= CLIENTS }
    }

    fn serve(&self, stream: &TcpStream, peer: SocketAddr) {
        client::serve(stream, peer.ip().to_canonical(), &self.site, self.is_one_too_many);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.site.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
