//! Sets the clock by time servers (SNTP, RFC 4330). Their answers are not authenticated: docs/explanation/trust.md has the rule for
//! what they may do.

use std::sync::Arc;
use std::time::Duration;

use dayfly_formats::resolv_conf::ResolvConf;
use dayfly_formats::sntp::{self, Reply, ReplyError};
use dayfly_formats::utc;
use dayfly_plan::Code;
use dayfly_plan::settings::value::TimeServer;
use dayfly_sys::{Answer, Question, Sys, SysError};

use crate::channel::{Sender, channel};
use crate::context::{Context, Done};
use crate::events::Level;
use crate::{AddressUp, Failure, NetworkUp, clock, threads};

const TRIED: &str = "ask the time servers";
const PORT: u16 = 123;
/// Limit for the servers that are asked, all at the same time.
const MOST_SERVERS: usize = 4;
/// How long each attempt to get an answer takes; a datagram may be lost. The pause between two requests to the same server is
/// the one of ntpd and chronyd in a burst (`iburst`).
const ATTEMPTS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(3)];
/// How far the clock may be moved beyond the build time of the initramfs. systemd has the same limit
/// (`clock-valid-range-usec-max`).
const FARTHEST: u64 = 15 * 365 * 24 * 60 * 60;
/// The build time, if the initramfs does not have one: 2026-11-27, the first release of Dayfly.
const FIRST_RELEASE: u64 = 1_795_737_600;

/// Asks all known time servers at the same time. The first answer that can be used decides.
pub fn set_clock(cx: &Context) -> Result<Done, Failure> {
    let Some(network) = &cx.known.network else { return Ok(Done::with("there is no network")) };
    let mut servers = network.time_servers();
    servers.truncate(MOST_SERVERS);
    if servers.is_empty() {
        return Ok(Done::with("no time server is known"));
    }
    let failed = |error: SysError| Failure::from_sys(Code::NetTime, TRIED, &error);
    let latest = clock::build_time(&*cx.sys).unwrap_or(FIRST_RELEASE).saturating_add(FARTHEST);
    let (sender, receiver) = channel();
    let hosts: Vec<String> = servers.iter().map(|(server, _)| server.to_string()).collect();
    cx.note(Level::Info, format!("asks {}", hosts.join(", ")));
    let (mut waiting, mut stories) = ask(cx, network, servers, &sender).map_err(failed)?;
    while waiting > 0 {
        let Some((host, answer)) = receiver.receive(&*cx.sys, cx.until) else {
            stories.push("the others did not answer in time".to_owned());
            break;
        };
        waiting -= 1;
        let now = cx.sys.clock();
        let judged = answer.and_then(|(time, reply)| Ok((judge(time, now, latest)?, time, reply.stratum)));
        match judged {
            Ok((Verdict::Right, _, stratum)) => {
                let words = format!("the clock is right within 2 s, says {host} (stratum {stratum})");
                return Ok(Done::with(words));
            }
            Ok((Verdict::Forward, time, stratum)) => {
                cx.sys.set_clock(time).map_err(failed)?;
                let (from, to) = (utc::text(now), utc::text(time.as_secs()));
                let words = format!("the clock was set from {from} to {to} by {host} (stratum {stratum})");
                // The runner may have given this step up, and then ignores its result.
                cx.note(Level::Info, words);
                return Ok(Done::with(format!("set by {host}")));
            }
            Err(story) => stories.push(format!("{host}: {story}")),
        }
    }
    Err(Failure::new(Code::NetTime, TRIED, stories.join("; ")))
}

/// A server, and the time that it gives, or why it gives none.
type Told = (String, Result<(Duration, Reply), String>);

/// Asks the servers, each on a thread of its own. Returns how many answers will come, and why a server could not be asked.
fn ask(
    cx: &Context,
    network: &NetworkUp,
    servers: Vec<(&TimeServer, &AddressUp)>,
    sender: &Sender<Told>,
) -> Result<(usize, Vec<String>), SysError> {
    let links = cx.sys.links()?;
    let search = network.search.iter().chain(&network.domain).cloned().collect();
    let resolver = Arc::new(ResolvConf { servers: network.dns.clone(), search });
    let (mut waiting, mut stories) = (0, Vec::new());
    for (server, up) in servers {
        let host = server.to_string();
        let Some(link) = links.iter().find(|link| link.name == up.iface) else {
            stories.push(format!("{host}: there is no interface {} any more", up.iface));
            continue;
        };
        let (sys, resolver, index) = (Arc::clone(&cx.sys), Arc::clone(&resolver), link.index);
        let (told, name) = (sender.clone(), host.clone());
        let on_panic = {
            let (told, host) = (sender.clone(), host.clone());
            move |failure: Failure| told.send((host, Err(failure.wrong)))
        };
        let run = move || {
            let time = time_of(&*sys, &host, &resolver, index);
            told.send((host, time));
        };
        match threads::start(format!("ask {name}"), on_panic, run) {
            Ok(()) => waiting += 1,
            Err(error) => stories.push(format!("{name}: the thread could not be started: {error}")),
        }
    }
    Ok((waiting, stories))
}

/// What a time that a server gives means for the clock.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Right,
    Forward,
}

/// The rule of docs/explanation/trust.md. The clock has whole seconds, so up to 2 s of difference are none.
fn judge(time: Duration, clock: u64, latest: u64) -> Result<Verdict, String> {
    let time = time.as_secs();
    if time > latest {
        let (time, latest) = (utc::text(time), utc::text(latest));
        return Err(format!("it says {time}, and no time after {latest} is believed"));
    }
    if time.saturating_add(1) < clock {
        let (time, clock) = (utc::text(time), utc::text(clock));
        return Err(format!("it says {time}, and the clock, {clock}, is never set back"));
    }
    Ok(if time > clock.saturating_add(1) { Verdict::Forward } else { Verdict::Right })
}

/// The time that a server gives, when its reply arrived.
fn time_of(
    sys: &dyn Sys,
    host: &str,
    resolver: &ResolvConf,
    index: u32,
) -> Result<(Duration, Reply), String> {
    let mut failed = String::new();
    let mut start = sys.now();
    for limit in ATTEMPTS {
        // A silent server took the whole time of the attempt before. Other errors came at once, and may pass.
        sys.sleep(start.saturating_sub(sys.now()));
        start += limit;
        let mut random = [0; 8];
        sys.random(&mut random);
        let payload = sntp::request(random);
        let question = Question { host, port: PORT, resolver, payload: &payload };
        let mut ignored = None;
        let mut is_answer = |bytes: &[u8]| {
            ignored = Reply::parse(bytes, random).err().filter(is_of_another);
            ignored.is_none()
        };
        match sys.ask(&question, index, &mut is_answer, limit) {
            Ok(Answer { payload, took, .. }) => {
                let reply = Reply::parse(&payload, random).map_err(|error| error.to_string())?;
                return Ok((reply.time_at_arrival(took), reply));
            }
            Err(error) => {
                let why = ignored.map_or_else(String::new, |why| format!("; a reply was ignored: {why}"));
                failed = format!("{error}{why}");
            }
        }
    }
    Err(failed)
}

/// Whether a reply with this error may be from another host than the server: it does not return the bytes of the request.
fn is_of_another(error: &ReplyError) -> bool {
    matches!(error, ReplyError::Short(_) | ReplyError::Mode(_) | ReplyError::Originate)
}

impl NetworkUp {
    /// The time servers, each with the address whose interface leads to it: those of the settings, else those of `ip=`, else those
    /// that the network names.
    pub fn time_servers(&self) -> Vec<(&TimeServer, &AddressUp)> {
        let named = self.named_time_servers();
        if named.is_empty() { self.of_addresses(|up| &up.given_ntp) } else { named }
    }

    /// Those of the settings, else those of `ip=`.
    pub fn named_time_servers(&self) -> Vec<(&TimeServer, &AddressUp)> {
        if self.ntp.is_empty() {
            return self.of_addresses(|up| &up.ntp);
        }
        self.ntp.iter().map(|server| (server, &self.first)).collect()
    }

    fn of_addresses(&self, list: fn(&AddressUp) -> &Vec<TimeServer>) -> Vec<(&TimeServer, &AddressUp)> {
        let mut servers: Vec<(&TimeServer, &AddressUp)> = Vec::new();
        for up in self.addresses() {
            for server in list(up) {
                if servers.iter().all(|(known, _)| *known != server) {
                    servers.push((server, up));
                }
            }
        }
        servers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: u64 = 1_795_737_600;
    const LATEST: u64 = BUILT + FARTHEST;

    #[test]
    fn the_clock_moves_forward_only_and_within_a_bound() {
        for (time, clock, expected) in [
            (BUILT + 1000, BUILT, Ok(Verdict::Forward)),
            (BUILT + 2, BUILT, Ok(Verdict::Forward)),
            (BUILT + 1, BUILT, Ok(Verdict::Right)),
            (BUILT - 1, BUILT, Ok(Verdict::Right)),
            (LATEST, BUILT, Ok(Verdict::Forward)),
            (
                BUILT - 2,
                BUILT,
                Err("it says 2026-11-26 23:59 UTC, and the clock, 2026-11-27 00:00 UTC, is never set back"),
            ),
            (
                0,
                BUILT,
                Err("it says 1970-01-01 00:00 UTC, and the clock, 2026-11-27 00:00 UTC, is never set back"),
            ),
            (
                LATEST + 1,
                BUILT,
                Err("it says 2041-11-23 00:00 UTC, and no time after 2041-11-23 00:00 UTC is believed"),
            ),
            // 2099.
            (
                4_070_908_800,
                BUILT,
                Err("it says 2099-01-01 00:00 UTC, and no time after 2041-11-23 00:00 UTC is believed"),
            ),
            (u64::MAX, BUILT, Err("")),
        ] {
            match (judge(Duration::from_secs(time), clock, LATEST), expected) {
                (Err(said), Err(expected)) => assert!(said.starts_with(expected), "{time}: {said}"),
                (found, expected) => assert_eq!(found, expected.map_err(str::to_owned), "{time}"),
            }
        }
    }

    #[test]
    fn the_first_source_that_names_servers_counts() {
        let server = |text: &str| text.parse::<TimeServer>().unwrap();
        let mut network = NetworkUp::of("10.0.2.15", 24);
        let other = AddressUp { iface: "eth1".to_owned(), ..network.first.clone() };
        network.others = vec![other];
        let found = |network: &NetworkUp| -> Vec<String> {
            let servers = network.time_servers();
            servers.into_iter().map(|(server, up)| format!("{server} {}", up.iface)).collect()
        };
        assert_eq!(found(&network), [""; 0]);
        network.first.given_ntp = vec![server("10.0.2.3")];
        network.others[0].given_ntp = vec![server("10.0.2.3"), server("10.0.3.3")];
        assert_eq!(found(&network), ["10.0.2.3 eth0", "10.0.3.3 eth1"]);
        network.others[0].ntp = vec![server("10.0.3.9")];
        assert_eq!(found(&network), ["10.0.3.9 eth1"]);
        network.ntp = vec![server("ntp.example.org")];
        assert_eq!(found(&network), ["ntp.example.org eth0"]);
    }
}
