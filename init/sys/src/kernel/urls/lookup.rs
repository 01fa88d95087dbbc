//! Resolves a host name: first with `/etc/hosts`, then with all name servers in parallel.
//!
//! One good answer is enough, whatever another server or the other address family answers. The resolver of the C
//! library queries both families and returns the worse of the two answers, so that a server that mishandles AAAA
//! queries prevents the boot.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use dayfly_formats::dns::{self, Family, Said};
use dayfly_formats::resolv_conf::{self, ResolvConf};
use dayfly_formats::scoped::ScopedAddr;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::rand::{GetRandomFlags, getrandom};

use super::over_tcp::OverTcp;
use crate::kernel::sockets::{connect_udp, scoped};

const PORT: u16 = 53;
/// A query without an answer is sent again after this time, and after twice this time …
const AGAIN: Duration = Duration::from_secs(1);
/// If one server answers that the name does not exist, the others get this much time for a better answer.
const OTHERS: Duration = Duration::from_secs(2);
/// Without an IPv4 address, an IPv6 address is used after this time.
const FAMILY: Duration = Duration::from_millis(500);

/// The configuration of the resolver. Most initramfs images lack the file, and one that cannot be read is ignored as well.
pub(super) fn resolver() -> ResolvConf {
    ResolvConf::parse(&text("/etc/resolv.conf"))
}

fn text(path: &str) -> String {
    std::fs::read(path).map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Which addresses are wanted, and how the name servers are asked.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Scope {
    /// The only interface to use; without it, the routes of all.
    pub interface: Option<u32>,
    /// The only IP version of addresses.
    pub family: Option<crate::Family>,
}

impl Scope {
    /// Whether an address is wanted.
    pub fn has(self, address: IpAddr) -> bool {
        self.family.is_none_or(|family| crate::Family::of(address) == family)
    }

    /// The IP versions to ask for.
    fn families(self, named: &[ScopedAddr]) -> &'static [Family] {
        match self.family {
            Some(crate::Family::V6) => &[Family::V6],
            None if has_ipv6(named) => &[Family::V4, Family::V6],
            Some(crate::Family::V4) | None => &[Family::V4],
        }
    }
}

/// Returns the addresses of a name, IPv4 first. A link-local name server is only asked through its own interface.
pub(in super::super) fn look_up(
    name: &str,
    resolver: &ResolvConf,
    scope: Scope,
    limit: Duration,
) -> Result<Vec<IpAddr>, String> {
    let until = Instant::now() + limit;
    let bare = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    // RFC 6761 §6.3.
    if bare == "localhost" || bare.ends_with(".localhost") {
        let both: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Ok(both.into_iter().filter(|address| scope.has(*address)).collect());
    }
    let known = resolv_conf::hosts(&text("/etc/hosts"), name);
    if !known.is_empty() {
        return Ok(known.into_iter().filter(|address| scope.has(*address)).collect());
    }
    if resolver.servers.is_empty() {
        return Err("no name server is known: neither DHCP nor nameserver= set one".to_owned());
    }
    let mut failed = "it is not a valid host name".to_owned();
    // With several search domains, a dead server would cost the whole time at the first of them.
    let mut silent: Vec<ScopedAddr> = Vec::new();
    for candidate in resolver.candidates(name) {
        let Some(mut round) = Round::start(&candidate, &resolver.servers, scope, &silent) else { continue };
        if round.servers.is_empty() {
            return Err("all known name servers belong to other interfaces".to_owned());
        }
        match round.run(until, limit) {
            Ok(addresses) => return Ok(addresses),
            Err(words) => failed = words,
        }
        if round.has_denial() {
            silent = round.silent();
        }
        if Instant::now() >= until {
            break;
        }
    }
    Err(failed)
}

/// The queries for one name to all servers.
struct Round<'a> {
    name: &'a str,
    servers: Vec<Server<'a>>,
}

struct Server<'a> {
    named: &'a ScopedAddr,
    address: SocketAddr,
    /// The only interface to use.
    interface: Option<u32>,
    /// The socket, or the error of creating it.
    socket: Result<UdpSocket, String>,
    questions: Vec<Question>,
    /// It has not answered for another name. It is asked, but not waited for.
    is_silent: bool,
}

struct Question {
    family: Family,
    message: Vec<u8>,
    id: u16,
    said: Option<Said>,
    /// The connection for an answer that did not fit into a packet.
    over_tcp: Option<OverTcp>,
}

impl<'a> Round<'a> {
    fn start(name: &'a str, named: &'a [ScopedAddr], scope: Scope, silent: &[ScopedAddr]) -> Option<Self> {
        let (families, interface) = (scope.families(named), scope.interface);
        let mut servers = Vec::new();
        for named in named {
            let found = scoped(named, PORT);
            if let (Some(index), Ok(SocketAddr::V6(address))) = (interface, &found)
                && ![0, index].contains(&address.scope_id())
            {
                continue;
            }
            let mut questions = Vec::new();
            for &family in families {
                let id = random();
                let message = dns::query(id, name, family)?;
                questions.push(Question { family, message, id, said: None, over_tcp: None });
            }
            let address =
                found.as_ref().map_or_else(|_| SocketAddr::new(named.address, PORT), |found| *found);
            let socket =
                found.and_then(|found| connect_udp(found, interface).map_err(|error| error.to_string()));
            let is_silent = silent.contains(named);
            servers.push(Server { named, address, interface, socket, questions, is_silent });
        }
        Some(Self { name, servers })
    }

    fn run(&mut self, mut until: Instant, limit: Duration) -> Result<Vec<IpAddr>, String> {
        let mut again = AGAIN;
        let mut next = Instant::now();
        let mut other_family: Option<Instant> = None;
        let mut is_denied = false;
        loop {
            let now = Instant::now();
            if now >= next {
                self.servers.iter_mut().for_each(Server::ask);
                next = now + again;
                again *= 2;
            }
            let (v4, v6) = (self.found(Family::V4), self.found(Family::V6));
            if !v6.is_empty() && other_family.is_none() {
                other_family = Some(now + FAMILY);
            }
            let waits = self.servers.iter().any(Server::is_waited_for);
            let enough = other_family.is_some_and(|until| now >= until);
            if !v4.is_empty() || !v6.is_empty() && (enough || !waits) {
                return Ok(v4.into_iter().chain(v6).collect());
            }
            if !is_denied && self.has_denial() {
                is_denied = true;
                until = until.min(now + OTHERS);
            }
            if !waits || now >= until {
                return Err(self.words(limit));
            }
            let wake = next.min(until).min(other_family.unwrap_or(until));
            self.wait(wake.saturating_duration_since(now));
            for server in &mut self.servers {
                server.listen(self.name);
                server.listen_over_tcp(self.name);
            }
        }
    }

    /// Waits until a server sends something.
    fn wait(&self, time: Duration) {
        let mut sockets: Vec<PollFd<'_>> = self
            .servers
            .iter()
            .filter(|server| server.waits_for_packet())
            .filter_map(|server| server.socket.as_ref().ok())
            .map(|socket| PollFd::new(socket, PollFlags::IN))
            .collect();
        let questions = self.servers.iter().flat_map(|server| &server.questions);
        sockets.extend(questions.filter_map(|question| question.over_tcp.as_ref()).map(OverTcp::poll));
        // Round up. Otherwise the last fraction of a millisecond would be spent in a busy loop.
        let time = time + Duration::from_micros(999);
        let time = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_millis()) * 1_000_000,
        };
        // The wait may end early, for example by a signal. The caller checks all sockets in any case.
        let _ = poll(&mut sockets, Some(&time));
    }

    fn found(&self, family: Family) -> Vec<IpAddr> {
        let of_family = |question: &&Question| question.family == family;
        let mut found: Vec<IpAddr> = Vec::new();
        for question in self.servers.iter().flat_map(|server| &server.questions).filter(of_family) {
            if let Some(Said::Addresses(addresses)) = &question.said
                && found.is_empty()
            {
                found.clone_from(addresses);
            }
        }
        found
    }

    /// Whether a server answered that there is no such name or address.
    fn has_denial(&self) -> bool {
        self.servers.iter().any(|server| {
            server
                .questions
                .iter()
                .all(|question| matches!(question.said, Some(Said::Nothing | Said::NoName)))
        })
    }

    /// The servers that have not answered.
    fn silent(&self) -> Vec<ScopedAddr> {
        let is_silent =
            |server: &&Server<'_>| server.questions.iter().all(|question| question.said.is_none());
        self.servers.iter().filter(is_silent).map(|server| server.named.clone()).collect()
    }

    fn words(&self, limit: Duration) -> String {
        let of_server = |server: &Server<'_>| format!("{}: {}", server.named, server.words(limit));
        let said: Vec<String> = self.servers.iter().map(of_server).collect();
        format!("no address of {} from {}", self.name, said.join("; "))
    }
}

impl Server<'_> {
    fn is_waited_for(&self) -> bool {
        !self.is_silent && self.waits_for_packet()
            || self.questions.iter().any(|question| question.over_tcp.is_some())
    }

    fn waits_for_packet(&self) -> bool {
        self.socket.is_ok() && self.questions.iter().any(|question| question.said.is_none())
    }

    /// Sends the queries that are not answered yet.
    fn ask(&mut self) {
        let Ok(socket) = &self.socket else { return };
        let failed = self
            .questions
            .iter()
            .filter(|question| question.said.is_none())
            .find_map(|question| socket.send(&question.message).err().filter(|error| !is_passing(error)));
        if let Some(error) = failed {
            self.socket = Err(error.to_string());
        }
    }

    /// Reads the packets that arrived. The number per call is limited, so that a flood of other packets cannot block
    /// the look-up.
    fn listen(&mut self, name: &str) {
        const MOST: usize = 64;
        let mut buffer = [0; dns::UDP_MAX];
        for _ in 0..MOST {
            let Ok(socket) = &self.socket else { return };
            if !self.waits_for_packet() {
                return;
            }
            let message = match socket.recv(&mut buffer) {
                Ok(count) => buffer.get(..count).unwrap_or_default(),
                Err(error) if is_passing(&error) => return,
                Err(error) => {
                    self.socket = Err(error.to_string());
                    return;
                }
            };
            for question in self.questions.iter_mut().filter(|question| question.said.is_none()) {
                // Ignore other packets: they may answer another query, or come from a third party.
                let Ok(said) = dns::parse(message, question.id, name, question.family) else { continue };
                if said == Said::Cut {
                    question.over_tcp = OverTcp::start(self.address, self.interface, &question.message).ok();
                }
                question.said = Some(said);
            }
        }
    }

    /// Reads what arrived over TCP. If the connection ends without an answer, the truncated answer remains.
    fn listen_over_tcp(&mut self, name: &str) {
        for question in &mut self.questions {
            let Some(over_tcp) = &mut question.over_tcp else { continue };
            let message = match over_tcp.advance() {
                Ok(None) => continue,
                Ok(Some(message)) => message,
                Err(_) => Vec::new(),
            };
            question.over_tcp = None;
            if let Ok(said) = dns::parse(&message, question.id, name, question.family) {
                question.said = Some(said);
            }
        }
    }

    fn words(&self, limit: Duration) -> String {
        if let Err(error) = &self.socket {
            return error.clone();
        }
        let of_question = |question: &Question| match &question.said {
            None => format!("no answer in {:.0} s", limit.as_secs_f64().ceil()),
            Some(Said::Addresses(_)) => "an address".to_owned(),
            Some(Said::Nothing) => match question.family {
                Family::V4 => "the name has no IPv4 address".to_owned(),
                Family::V6 => "the name has no IPv6 address".to_owned(),
            },
            Some(Said::NoName) => "there is no such name (NXDOMAIN)".to_owned(),
            Some(Said::Refused(code)) => format!("it answered {}", dns::code_name(*code)),
            Some(Said::Cut) => {
                "its answer does not fit into a packet, and it did not answer over TCP".to_owned()
            }
        };
        let mut words: Vec<String> = self.questions.iter().map(of_question).collect();
        words.dedup();
        words.join(", ")
    }
}

/// Whether this node has IPv6 connectivity. Without it, an AAAA query is useless and could only fail.
fn has_ipv6(servers: &[ScopedAddr]) -> bool {
    let anybody = SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(), PORT);
    servers.iter().any(|server| server.address.is_ipv6()) || connect_udp(anybody, None).is_ok()
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::TimedOut)
}

fn random() -> u16 {
    let mut bytes = [0; 2];
    // If this fails, only the random port of the kernel protects against spoofed answers.
    let _ = getrandom(&mut bytes, GetRandomFlags::INSECURE);
    u16::from_ne_bytes(bytes)
}
