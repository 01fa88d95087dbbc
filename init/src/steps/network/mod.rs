//! The race: every interface at once, each by its own method, and the first that is configured wins.

mod apply;
mod dhcp;
mod udev;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use dayfly_plan::{Code, NetworkPlan};
use dayfly_sys::{Link, LinkChange, LinkKind, PacketPort, Sys};
use dayfly_wire::ip::{IpArg, Method};
use dayfly_wire::mac::Mac;

pub use self::apply::METRIC;
use self::udev::Udev;
use super::identity;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::{Failure, Learned, NetworkUp};

/// How often links are looked at.
const POLL: Duration = Duration::from_millis(20);
/// The interface that the firmware booted from gets this head start before all others join.
const HEAD_START: Duration = Duration::from_secs(10);

/// One interface's try, on a thread of its own.
struct Racer<S: Sys> {
    sys: Arc<S>,
    link: Link,
    ip: IpArg,
    hostname: Option<String>,
    over: Arc<AtomicBool>,
    until: Duration,
    say: Box<dyn Fn(Level, String) + Send>,
}

/// Why an interface has not won.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reason {
    NoCarrier,
    NoLease(String),
    Refused(String),
}

/// Brings the network up.
pub fn race<S: Sys>(cx: &Context<S>, plan: &NetworkPlan) -> Result<Done, Failure> {
    // Raw ports are a module in many kernels; where it is neither module nor built in, the port says so.
    if let Err(failure) = cx.modules.load("af_packet") {
        cx.note(Level::Warning, format!("{}: {}", failure.tried, failure.wrong));
    }
    let over = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = channel();
    let mut reasons: BTreeMap<String, Reason> = BTreeMap::new();
    let started = cx.sys.now();
    let mut known: Vec<u32> = Vec::new();
    let mut udev = Udev::find(cx);
    let mut told = 0;
    let winner = loop {
        for link in starters(cx, plan, cx.sys.now().saturating_sub(started))? {
            if !known.contains(&link.index) && udev.is_done_with(cx, &link) {
                known.push(link.index);
                reasons.insert(link.name.clone(), Reason::NoCarrier);
                start(cx, plan, link, &over, &sender);
            }
        }
        match receiver.recv_timeout(POLL) {
            Ok((_, Ok(network))) => break Some(network),
            Ok((name, Err(reason))) => {
                told += 1;
                reasons.insert(name, reason);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if cx.left().is_zero() {
            break None;
        }
    };
    over.store(true, Ordering::Relaxed);
    if winner.is_none() {
        // Each racer sees that it is over, at the latest when its next packet is due, and tells why it has not won.
        let mut silent = known.len() - told;
        while silent > 0
            && let Ok((name, result)) = receiver.recv_timeout(dhcp::LISTEN * 2)
        {
            silent -= 1;
            reasons.extend(result.err().map(|reason| (name, reason)));
        }
    }
    let Some(mut network) = winner else { return Err(explain(plan, &reasons, &cx.modules.troubles())) };
    let mut dns = plan.dns.clone();
    dns.extend(network.dns.iter().filter(|server| !plan.dns.contains(server)));
    network.dns = dns;
    if let Err(error) =
        cx.sys.write(Path::new("/etc/resolv.conf"), identity::resolv_conf(&network).as_bytes(), 0o644)
    {
        cx.note(Level::Warning, format!("names will not resolve: {error}"));
    }
    let detail = describe(&network);
    Ok(Done::with(detail).and(Learned::Network(Box::new(network))))
}

fn describe(network: &NetworkUp) -> String {
    let gateway = network.gateway.map_or_else(String::new, |gateway| format!(" via {gateway}"));
    let how = if network.lease.is_some() { "dhcp4" } else { "static" };
    format!("{} has {}/{}{gateway} ({how})", network.iface, network.address, network.prefix)
}

/// The interfaces that may race by now.
fn starters<S: Sys>(cx: &Context<S>, plan: &NetworkPlan, since: Duration) -> Result<Vec<Link>, Failure> {
    let links =
        cx.sys.links().map_err(|error| Failure::from_sys(Code::NetNoLink, "list the interfaces", &error))?;
    let is_bootif = |link: &Link| plan.bootif.is_some() && link.mac.map(Mac) == plan.bootif;
    Ok(links
        .into_iter()
        .filter(|link| matches!(&link.kind, LinkKind::Ethernet) || is_named(plan, link))
        .filter(|link| ip_for(plan, link).is_some())
        .filter(|link| {
            plan.bootif.is_none() || is_bootif(link) || is_named(plan, link) || since >= HEAD_START
        })
        .collect())
}

fn is_named(plan: &NetworkPlan, link: &Link) -> bool {
    plan.ip.iter().any(|ip| ip.iface.as_ref() == Some(&link.name))
}

/// The `ip=` word for an interface: one that names it, else one for all; DHCP where there is none.
fn ip_for(plan: &NetworkPlan, link: &Link) -> Option<IpArg> {
    if plan.ip.is_empty() {
        return Some(IpArg { method: Method::Dhcp, ..IpArg::default() });
    }
    let named = plan.ip.iter().find(|ip| ip.iface.as_ref() == Some(&link.name));
    let ip = named.or_else(|| plan.ip.iter().find(|ip| ip.iface.is_none()))?;
    // `off` without an address leaves an interface alone.
    (ip.method != Method::Off || ip.client.is_some()).then(|| ip.clone())
}

fn start<S: Sys>(
    cx: &Context<S>,
    plan: &NetworkPlan,
    link: Link,
    over: &Arc<AtomicBool>,
    results: &Sender<(String, Result<NetworkUp, Reason>)>,
) {
    let Some(ip) = ip_for(plan, &link) else { return };
    let (events, step, name) = (cx.events.clone(), cx.step, link.name.clone());
    let racer = Racer {
        sys: Arc::clone(&cx.sys),
        hostname: plan.hostname.as_ref().map(ToString::to_string).or_else(|| ip.hostname.clone()),
        link,
        ip,
        over: Arc::clone(over),
        until: cx.until,
        say: Box::new({
            let name = name.clone();
            move |level, text| events.note(level, Some(step), format!("{name}: {text}"))
        }),
    };
    let sender = results.clone();
    let spawned = std::thread::Builder::new().name(format!("net {name}")).spawn(move || {
        let name = racer.link.name.clone();
        let mut port = None;
        let result = racer.run(&mut port);
        // After the race nobody listens, and nobody needs to.
        let _ = sender.send((name, result));
        // The answer does not wait for this: the kernel lets every CPU pass before a packet socket is closed.
        drop(port);
    });
    if let Err(error) = spawned {
        cx.note(Level::Warning, format!("{name}: no thread for it: {error}"));
    }
}

impl<S: Sys> Racer<S> {
    /// A port that it opens is left to the caller to close.
    fn run(&self, port: &mut Option<Box<dyn PacketPort>>) -> Result<NetworkUp, Reason> {
        let refused = |error: dayfly_sys::SysError| Reason::Refused(error.to_string());
        // What an earlier attempt left would only confuse the routes of this one.
        self.sys.change_link(self.link.index, &LinkChange::Flush).map_err(refused)?;
        if let Some(mtu) = self.ip.mtu {
            self.sys.change_link(self.link.index, &LinkChange::Mtu(mtu)).map_err(refused)?;
        }
        self.sys.change_link(self.link.index, &LinkChange::Up).map_err(refused)?;
        self.wait_for_carrier()?;
        match self.ip.client {
            Some(address) => apply::fixed(self, address),
            None => dhcp::lease(self, port),
        }
    }

    fn wait_for_carrier(&self) -> Result<(), Reason> {
        let mut said = false;
        while !self.is_over() {
            let links = self.sys.links().map_err(|error| Reason::Refused(error.to_string()))?;
            match links.iter().find(|link| link.index == self.link.index) {
                Some(link) if link.carrier => return Ok(()),
                Some(_) => {}
                None => return Err(Reason::Refused("it has vanished".to_owned())),
            }
            if !said {
                (self.say)(Level::Debug, "up, waiting for a carrier".to_owned());
                said = true;
            }
            self.sys.sleep(POLL);
        }
        Err(Reason::NoCarrier)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.sys.now() >= self.until
    }
}

/// The failure, with each interface's reason.
fn explain(plan: &NetworkPlan, reasons: &BTreeMap<String, Reason>, troubles: &str) -> Failure {
    let tried = format!("bring the network up: {plan}");
    if reasons.is_empty() {
        let wanted: Vec<&str> = plan.ip.iter().filter_map(|ip| ip.iface.as_deref()).collect();
        let wrong = if wanted.is_empty() {
            "there is no network interface".to_owned()
        } else {
            format!("there is no interface {}", wanted.join(" or "))
        };
        return Failure::new(Code::NetNoLink, tried, wrong + troubles);
    }
    let wrong: Vec<String> = reasons
        .iter()
        .map(|(name, reason)| match reason {
            Reason::NoCarrier => format!("{name}: no carrier"),
            Reason::NoLease(text) | Reason::Refused(text) => format!("{name}: {text}"),
        })
        .collect();
    let code = if reasons.values().all(|reason| *reason == Reason::NoCarrier) {
        Code::NetNoCarrier
    } else if reasons.values().any(|reason| matches!(reason, Reason::NoLease(_))) {
        Code::NetNoLease
    } else {
        Code::NetConfigure
    };
    Failure::new(code, tried, wrong.join("; "))
}
