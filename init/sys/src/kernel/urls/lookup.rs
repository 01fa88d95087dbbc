//! Looks a name up: `/etc/hosts`, then the name servers, all at once.
//!
//! One good answer is enough, whatever another server or the other family says: the resolver of the C library asks for both
//! families and fails with the worse of two answers, so that a server without an idea of AAAA keeps a node from booting.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use dayfly_formats::dns::{self, Family, Said};
use dayfly_formats::resolv_conf::{self, ResolvConf};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::rand::{GetRandomFlags, getrandom};

use super::over_tcp::OverTcp;

const PORT: u16 = 53;
/// A question that got no answer is asked again after this, and after twice that …
const AGAIN: Duration = Duration::from_secs(1);
/// When one server says that there is no such name, the others may still know better: they get this.
const OTHERS: Duration = Duration::from_secs(2);
/// An address of the other family is taken when this has passed without one of IPv4.
const FAMILY: Duration = Duration::from_millis(500);

/// The addresses of a name, IPv4 first, or why there are none.
pub(super) fn look_up(name: &str, limit: Duration) -> Result<Vec<IpAddr>, String> {
    let until = Instant::now() + limit;
    let bare = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    // RFC 6761 §6.3.
    if bare == "localhost" || bare.ends_with(".localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let text = |path: &str| match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // An initramfs without the file is the normal case; one that cannot be read says nothing either.
        Err(_) => String::new(),
    };
    let known = resolv_conf::hosts(&text("/etc/hosts"), name);
    if !known.is_empty() {
        return Ok(known);
    }
    let conf = ResolvConf::parse(&text("/etc/resolv.conf"));
    if conf.servers.is_empty() {
        return Err("no name server is known: neither DHCP nor nameserver= named one".to_owned());
    }
    let mut failed = "it is no name that can be asked for".to_owned();
    for candidate in conf.candidates(name) {
        let Some(round) = Round::start(&candidate, &conf.servers) else { continue };
        match round.run(until, limit) {
            Ok(addresses) => return Ok(addresses),
            Err(words) => failed = words,
        }
        if Instant::now() >= until {
            break;
        }
    }
    Err(failed)
}

/// The look-up of one name with all servers.
struct Round<'a> {
    name: &'a str,
    servers: Vec<Server>,
}

struct Server {
    address: SocketAddr,
    /// What went wrong with it.
    socket: Result<UdpSocket, String>,
    questions: Vec<Question>,
}

struct Question {
    family: Family,
    message: Vec<u8>,
    id: u16,
    said: Option<Said>,
    /// The answer did not fit into a packet, and is on its way.
    over_tcp: Option<OverTcp>,
}

impl<'a> Round<'a> {
    fn start(name: &'a str, addresses: &[IpAddr]) -> Option<Self> {
        let families: &[Family] = if has_ipv6(addresses) { &[Family::V4, Family::V6] } else { &[Family::V4] };
        let mut servers = Vec::new();
        for address in addresses {
            let mut questions = Vec::new();
            for &family in families {
                let id = random();
                let message = dns::query(id, name, family)?;
                questions.push(Question { family, message, id, said: None, over_tcp: None });
            }
            let address = SocketAddr::new(*address, PORT);
            let socket = connect(address).map_err(|error| error.to_string());
            servers.push(Server { address, socket, questions });
        }
        Some(Self { name, servers })
    }

    fn run(mut self, mut until: Instant, limit: Duration) -> Result<Vec<IpAddr>, String> {
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

    /// Waits until a server says something.
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
        // Rounded up, or the last fraction of a millisecond would be spent spinning.
        let time = time + Duration::from_micros(999);
        let time = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_millis()) * 1_000_000,
        };
        // A signal ends it early, and so may anything else: the sockets are looked at all the same.
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

    /// Whether a server has said that there is nothing.
    fn has_denial(&self) -> bool {
        self.servers.iter().any(|server| {
            server
                .questions
                .iter()
                .all(|question| matches!(question.said, Some(Said::Nothing | Said::NoName)))
        })
    }

    fn words(&self, limit: Duration) -> String {
        let of_server = |server: &Server| format!("{}: {}", server.address.ip(), server.words(limit));
        let said: Vec<String> = self.servers.iter().map(of_server).collect();
        format!("no address of {} from {}", self.name, said.join("; "))
    }
}

impl Server {
    fn is_waited_for(&self) -> bool {
        self.waits_for_packet() || self.questions.iter().any(|question| question.over_tcp.is_some())
    }

    fn waits_for_packet(&self) -> bool {
        self.socket.is_ok() && self.questions.iter().any(|question| question.said.is_none())
    }

    /// Asks what is not answered yet.
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

    /// Takes what has come. Whoever floods it with other packets gets no more than this of our time.
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
                // What is no answer to it may be one to the next, or is somebody else's idea of one.
                let Ok(said) = dns::parse(message, question.id, name, question.family) else { continue };
                if said == Said::Cut {
                    question.over_tcp = OverTcp::start(self.address, &question.message).ok();
                }
                question.said = Some(said);
            }
        }
    }

    /// Takes what has come over TCP. What ends without an answer leaves it at what the packet said.
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
            Some(Said::Refused(code)) => format!("it answers {}", dns::code_name(*code)),
            Some(Said::Cut) => "its answer does not fit into a packet, and it gives none over TCP".to_owned(),
        };
        let mut words: Vec<String> = self.questions.iter().map(of_question).collect();
        words.dedup();
        words.join(", ")
    }
}

/// A socket that takes packets of this server only; its port is the kernel's random choice.
fn connect(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Whether this node can reach anybody over IPv6: a question that it has no use for can only go wrong.
fn has_ipv6(servers: &[IpAddr]) -> bool {
    let anybody = SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(), PORT);
    servers.iter().any(IpAddr::is_ipv6) || connect(anybody).is_ok()
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::TimedOut)
}

fn random() -> u16 {
    let mut bytes = [0; 2];
    // Without a random number the port alone keeps guessers away, and that is the kernel's.
    let _ = getrandom(&mut bytes, GetRandomFlags::INSECURE);
    u16::from_ne_bytes(bytes)
}
