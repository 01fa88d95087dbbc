//! Brings up the network. All interfaces are probed in parallel, each with its own method, and claim an address. This
//! step configures one of them: the first claim, or the next one if the boot came back because a later step failed over
//! the first.

mod apply;
mod dhcp;
pub mod name;
pub mod names;
mod probe;
pub mod resolv_conf;
pub mod settings;
mod udev;

use std::time::Duration;

use dayfly_formats::ip::{IpArg, Method};
use dayfly_formats::mac::Mac;
use dayfly_plan::{Code, NetworkPlan};
use dayfly_sys::{Link, LinkKind, own};

pub use self::apply::METRIC;
use self::names::Names;
use self::probe::POLL;
use self::udev::Udev;
use crate::claims::{Contender, Reason, State};
use crate::context::{Context, Done};
use crate::events::Level;
use crate::{Failure, Learned, NetworkUp};

/// The interface that the firmware booted from gets this head start before all others join.
const HEAD_START: Duration = Duration::from_secs(10);
/// How long to wait for an interface that `ip=` names after the boot has a network already.
const NAMED_WAIT: Duration = Duration::from_secs(10);

/// Brings the network up.
pub fn race(cx: &Context, plan: &NetworkPlan) -> Result<Done, Failure> {
    // In many kernels, packet sockets are a module. If it is missing and not built in, opening the socket fails and
    // reports it.
    if let Err(failure) = cx.modules.load("af_packet") {
        cx.note(Level::Warning, format!("{}: {}", failure.tried, failure.wrong));
    }
    let started = cx.sys.now();
    let lost = cx.claims.winner(started);
    if lost.is_none() {
        take_back(cx, &cx.claims.restart());
    } else {
        cx.claims.forget_old(started);
    }
    let mut udev = Udev::find(cx);
    let (wanted, mut names) = (plan, Names::default());
    let links = loop {
        let since = if lost.is_some() { Duration::MAX } else { cx.sys.now().saturating_sub(started) };
        let links = links(cx)?;
        let plan = &names.translate(cx, wanted, &links);
        for link in starters(&links, plan, since) {
            if !cx.claims.has(link.index) && udev.is_done_with(cx, &link) {
                enter(cx, plan, link);
            }
        }
        if let Some(claim) = cx.claims.next() {
            match configure(cx, plan, &claim) {
                Ok(network) => {
                    if let Some(text) = names.missing(cx, wanted, &links) {
                        cx.note(Level::Warning, text);
                    }
                    return Ok(done(cx, plan, &links, network));
                }
                Err(error) => {
                    cx.note(Level::Warning, format!("{}: {error}", claim.link.name));
                    cx.claims.refused(claim.link.index, error.to_string());
                    continue;
                }
            }
        }
        if let Some(lost) = &lost
            && cx.claims.winner(cx.sys.now()).is_some()
        {
            return Ok(Done::with(format!(
                "{} stays: no other interface has a claim. {}",
                lost.link.name,
                cx.claims.stories()
            )));
        }
        if cx.left().is_zero() {
            break links;
        }
        cx.claims.wait(&*cx.sys, POLL);
    };
    let all = cx.claims.all();
    cx.claims.close();
    let missing = names.missing(cx, wanted, &links);
    Err(explain(plan, &all, missing, &cx.modules.troubles()))
}

/// Configures a claim, and also the other interfaces that `ip=` names and that have a claim. Removes the previous
/// configuration first.
fn configure(cx: &Context, plan: &NetworkPlan, claim: &Contender) -> Result<NetworkUp, dayfly_sys::SysError> {
    let up: Vec<Contender> = cx.claims.all().into_iter().filter(|one| one.is_up).collect();
    take_back(cx, &up);
    let mut network = apply::configure(cx, claim, METRIC)?;
    cx.claims.is_configured(claim.link.index, true);
    if claim.is_named {
        configure_named(cx);
    }
    let mut dns = plan.dns.clone();
    dns.extend(network.dns.iter().filter(|server| !plan.dns.contains(server)));
    network.dns = dns;
    Ok(network)
}

/// Configures the other interfaces that `ip=` names and that have a claim. The winner's routes get the lowest metric.
fn configure_named(cx: &Context) {
    let first = METRIC + 1 + u32::try_from(cx.claims.named(true).len()).unwrap_or(0);
    for (claim, metric) in cx.claims.named(false).iter().zip(first..) {
        match apply::configure(cx, claim, metric) {
            Ok(network) => {
                cx.claims.is_configured(claim.link.index, false);
                cx.note(Level::Info, format!("{}, because ip= names it", describe(&network)));
            }
            Err(error) => {
                cx.note(Level::Warning, format!("{}: {error}", claim.link.name));
                cx.claims.refused(claim.link.index, error.to_string());
            }
        }
    }
}

fn done(cx: &Context, plan: &NetworkPlan, links: &[Link], network: NetworkUp) -> Done {
    // Interfaces that appear late, or that wait for the head start of the boot interface, could win as well.
    let others = starters(links, plan, Duration::MAX).len();
    cx.claims.beside_winner(others.max(cx.claims.all().len()) > 1);
    if let Err(error) = cx.sys.write(&own("/etc/resolv.conf"), resolv_conf::text(&network).as_bytes(), 0o644)
    {
        cx.note(Level::Warning, format!("DNS names will not resolve: {error}"));
    }
    Done::with(describe(&network)).and(Learned::Network(Box::new(network)))
}

/// Called when the network is no longer needed for the boot: ends the probes, configures the interfaces that `ip=`
/// names, and restores all others.
pub fn settle(cx: &Context) -> Result<Done, Failure> {
    let until = cx.sys.now() + NAMED_WAIT.min(cx.left());
    while cx.claims.is_decided() && cx.claims.awaits_named() && cx.sys.now() < until {
        cx.claims.wait(&*cx.sys, POLL);
    }
    cx.claims.close();
    configure_named(cx);
    let all = cx.claims.all();
    for lacking in all.iter().filter(|one| one.is_named && !one.is_up) {
        cx.note(Level::Warning, format!("named by ip=, but not configured: {lacking}"));
    }
    let up = |index: u32| all.iter().any(|one| one.link.index == index && one.is_up);
    let mut told = Ok(());
    for link in cx.claims.found().iter().filter(|link| !up(link.index)) {
        if let Err(error) = apply::restore(cx, link) {
            told = Err(Failure::from_sys(
                Code::NetConfigure,
                format!("restore the interface {}", link.name),
                &error,
            ));
        }
    }
    told.map(|()| Done::with(cx.claims.stories()))
}

/// Removes the configuration of interfaces that lost.
fn take_back(cx: &Context, contenders: &[Contender]) {
    for contender in contenders.iter().filter(|one| one.is_up) {
        if let Err(error) = apply::flush(cx, &contender.link) {
            cx.note(Level::Warning, format!("{}: {error}", contender.link.name));
        }
        cx.claims.is_taken_back(contender.link.index);
    }
}

fn describe(network: &NetworkUp) -> String {
    let gateway = network.gateway.map_or_else(String::new, |gateway| format!(" via {gateway}"));
    let how = if network.lease.is_some() { "dhcp4" } else { "static" };
    format!("{} has {}/{}{gateway} ({how})", network.iface, network.address, network.prefix)
}

fn links(cx: &Context) -> Result<Vec<Link>, Failure> {
    cx.sys.links().map_err(|error| Failure::from_sys(Code::NetNoLink, "list the interfaces", &error))
}

/// The interfaces that may be probed after this time.
fn starters(links: &[Link], plan: &NetworkPlan, since: Duration) -> Vec<Link> {
    let is_bootif = |link: &Link| plan.bootif.is_some() && link.mac.map(Mac) == plan.bootif;
    links
        .iter()
        .filter(|link| is_card(&link.kind) || is_named(plan, link))
        .filter(|link| ip_for(plan, link).is_some())
        .filter(|link| {
            plan.bootif.is_none() || is_bootif(link) || is_named(plan, link) || since >= HEAD_START
        })
        .cloned()
        .collect()
}

/// Whether it is an Ethernet interface, or a veth, the only kind in a container.
fn is_card(kind: &LinkKind) -> bool {
    match kind {
        LinkKind::Ethernet => true,
        LinkKind::Virtual(kind) => kind == "veth",
        LinkKind::Loopback => false,
    }
}

fn is_named(plan: &NetworkPlan, link: &Link) -> bool {
    plan.ip.iter().any(|ip| ip.iface.as_ref() == Some(&link.name))
}

/// The `ip=` parameter for an interface: the one that names it, else the one for all interfaces, else DHCP.
fn ip_for(plan: &NetworkPlan, link: &Link) -> Option<IpArg> {
    if plan.ip.is_empty() {
        return Some(IpArg { method: Method::Dhcp, ..IpArg::default() });
    }
    let named = plan.ip.iter().find(|ip| ip.iface.as_ref() == Some(&link.name));
    let ip = named.or_else(|| plan.ip.iter().find(|ip| ip.iface.is_none()))?;
    // `off` without an address means: do not configure the interface.
    (ip.method != Method::Off || ip.client.is_some()).then(|| ip.clone())
}

/// Adds an interface to the claims and starts its probe.
fn enter(cx: &Context, plan: &NetworkPlan, link: Link) {
    let Some(ip) = ip_for(plan, &link) else { return };
    cx.claims.enter(Contender {
        driver: driver(cx, &link),
        ip: ip.clone(),
        is_named: is_named(plan, &link),
        state: State::Waiting(Reason::NoCarrier),
        turns: 0,
        lost: None,
        is_up: false,
        link: link.clone(),
    });
    probe::start(cx, plan, link, ip);
}

/// The name of the driver; virtual interfaces have none.
fn driver(cx: &Context, link: &Link) -> Option<String> {
    let text = cx.sys.read(&own(format!("/sys/class/net/{}/device/uevent", link.name))).ok()?;
    let fields = dayfly_formats::uevent::parse_file(&String::from_utf8_lossy(&text));
    fields.into_iter().find_map(|(key, value)| (key == "DRIVER").then_some(value))
}

/// The failure, with the reason of each interface.
fn explain(plan: &NetworkPlan, all: &[Contender], missing: Option<String>, troubles: &str) -> Failure {
    let tried = format!("bring the network up: {plan}");
    if all.is_empty() {
        let wrong = missing.unwrap_or_else(|| "there is no network interface".to_owned());
        return Failure::new(Code::NetNoLink, tried, wrong + troubles);
    }
    let reasons: Vec<&Reason> = all
        .iter()
        .filter_map(|one| match &one.state {
            State::Waiting(reason) | State::Failed(reason) => Some(reason),
            State::Claims(_) => None,
        })
        .collect();
    let code = if reasons.iter().all(|reason| **reason == Reason::NoCarrier) {
        Code::NetNoCarrier
    } else if reasons.iter().any(|reason| matches!(reason, Reason::NoLease(_))) {
        Code::NetNoLease
    } else {
        Code::NetConfigure
    };
    let stories: Vec<String> = all.iter().map(ToString::to_string).chain(missing).collect();
    Failure::new(code, tried, stories.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tells;

    #[test]
    fn the_pages_tell_the_head_start() {
        let seconds = HEAD_START.as_secs();
        tells(
            "explanation/boot-sequence.md",
            &format!("the interface of the firmware gets {seconds} s alone"),
        );
        tells("how-to/static-address.md", &format!("it gets {seconds} s alone before the others join"));
        tells("reference/plan.md", &format!("The interface of `BOOTIF=` gets {seconds} s alone"));
        tells("how-to/ipxe.md", &format!("a head start of {seconds} s"));
    }
}
