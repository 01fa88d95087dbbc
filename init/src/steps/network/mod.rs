//! Brings up the network. All interfaces are probed in parallel, each with its own method, and claim an address. This
//! step uses one of them: the first over which the server answers that the boot needs, or the next one if the boot came back
//! because a later step failed over the first. Links that the boot creates (VLANs, bonds, bridges) take part like all others.

mod advertised;
mod apply;
mod conflict;
mod dhcp;
pub mod dhcp6;
mod failure;
mod ipv6;
mod lacp;
mod lease_keeper;
pub mod name;
pub mod names;
mod owner;
mod probe;
mod ready;
pub mod resolv_conf;
pub mod settings;
mod starters;
pub mod time;
mod udev;
mod virtual_links;

use std::time::Duration;

use dayfly_plan::Code;
use dayfly_plan::network::Network;
use dayfly_sys::{Link, LinkKind, own};

pub use self::apply::METRIC;
use self::names::Names;
use self::probe::POLL;
use self::ready::Choice;
use self::starters::starters;
use self::udev::Udev;
use self::virtual_links::VirtualLinks;
use crate::claims::Contender;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::{AddressUp, Failure, Learned, NetworkUp};

/// How long to wait for an interface that a parameter names after the boot has a network already.
const NAMED_WAIT: Duration = Duration::from_secs(10);

/// How long to wait for another address if the one of the boot was withdrawn, for example because another host has it: after a
/// DHCPDECLINE, a client waits 10 s (RFC 2131 3.1).
const LOST_WAIT: Duration = Duration::from_secs(15);

/// Brings the network up.
pub fn race(cx: &Context, network: &Network) -> Result<Done, Failure> {
    // In many kernels, packet sockets are a module. If it is missing and not built in, opening the socket fails and
    // reports it.
    load(cx, "af_packet");
    load(cx, "ipv6");
    let started = cx.sys.now();
    let there = links(cx)?;
    let is_there = |one: &Contender| there.iter().any(|link| link.index == one.link.index);
    // One that has lost its address is probed again.
    let lost = cx.claims.winner(started).filter(|one| is_there(one) && one.up.is_some());
    cx.claims.stop_asking();
    if lost.is_none() {
        owner::take_back(cx, &cx.claims.restart());
    } else {
        cx.claims.forget_useless(started);
    }
    let round = cx.claims.round();
    let (mut udev, mut names, mut made) = (Udev::find(cx), Names::default(), VirtualLinks::default());
    let links = loop {
        if !cx.claims.is_open(round) {
            // The runner gave this attempt up, and the next one is the owner.
            return Err(Failure::new(Code::StepDeadline, "bring the network up", "this attempt is over"));
        }
        let is_open_to_all = lost.is_some() || ready::is_preferred_slow(cx, network);
        let since = if is_open_to_all { Duration::MAX } else { cx.sys.now().saturating_sub(started) };
        let links = links(cx)?;
        let is_ready: Vec<Link> = links.iter().filter(|link| udev.is_done_with(cx, link)).cloned().collect();
        if made.rename(cx, network, &is_ready) && !cx.left().is_zero() {
            continue;
        }
        // A name that belongs to another interface, which is not there yet, stands for none.
        let is_own = |link: &Link| virtual_links::has_own_name(network, link);
        let is_ready: Vec<Link> = is_ready.into_iter().filter(is_own).collect();
        let links: Vec<Link> = links.into_iter().filter(is_own).collect();
        let wanted = &names.translate(cx, network, &links);
        if made.create(cx, wanted, &links, &is_ready) && !cx.left().is_zero() {
            continue;
        }
        for link in starters(&is_ready, wanted, since) {
            if !cx.claims.has(link.index) {
                probe::enter(cx, wanted, link);
            }
        }
        match ready::choose(cx, wanted, since, lost.is_some()) {
            Choice::Use(chosen) => {
                let (claim, first) = *chosen;
                cx.claims.stop_asking();
                if !cx.claims.wins(claim.way()) {
                    continue;
                }
                let up = match owner::win(cx, wanted, &claim, first) {
                    Ok(up) => up,
                    Err(error) => {
                        owner::refuse(cx, &claim, &error);
                        continue;
                    }
                };
                let missing = names.missing(cx, network, &links);
                for text in missing.into_iter().chain(made.problems(wanted, &links)) {
                    cx.note(Level::Warning, text);
                }
                return Ok(done(cx, wanted, &links, up));
            }
            Choice::Wait => {}
            Choice::Nothing => {
                if let Some(lost) = &lost
                    && cx.claims.winner(cx.sys.now()).is_some()
                {
                    cx.claims.stop_asking();
                    // The other claims were configured to ask the server over them.
                    owner::take_back_losers(cx);
                    let words = "stays: no other interface leads to the server";
                    let stays = Done::with(format!("{} {words}. {}", lost.link.name, cx.claims.stories()));
                    let Some(network) = &cx.known.network else { return Ok(stays) };
                    // Routers may have named other servers since.
                    let network = match owner::stay(cx, lost, network) {
                        Ok(network) => network,
                        Err(error) => {
                            owner::refuse(cx, lost, &error);
                            continue;
                        }
                    };
                    write_resolv_conf(cx, &network);
                    return Ok(stays.and(Learned::Network(Box::new(network))));
                }
            }
        }
        if cx.left().is_zero() || starters::have_given_up(cx, wanted, &links, since) {
            break links;
        }
        cx.claims.wait(&*cx.sys, POLL);
    };
    let all = cx.claims.all();
    cx.claims.close();
    let wanted = names.translate(cx, network, &links);
    let mut problems = made.problems(&wanted, &links);
    problems.extend(names.missing(cx, network, &links));
    Err(failure::explain(&wanted, &all, problems, &cx.modules.troubles()))
}

fn done(cx: &Context, wanted: &Network, links: &[Link], up: NetworkUp) -> Done {
    // Interfaces that appear late, or that wait for the head start of the boot interface, could win as well.
    let others = starters(links, wanted, Duration::MAX).len();
    cx.claims.beside_winner(others.max(cx.claims.all().len()) > 1);
    write_resolv_conf(cx, &up);
    Done::with(owner::describe(&up.first)).and(Learned::Network(Box::new(up)))
}

fn write_resolv_conf(cx: &Context, network: &NetworkUp) {
    if let Err(error) = cx.sys.write(&own("/etc/resolv.conf"), resolv_conf::text(network).as_bytes(), 0o644) {
        cx.note(Level::Warning, format!("DNS names will not resolve: {error}"));
    }
}

/// Called when the network is no longer needed for the boot: ends the probes, configures the interfaces that a parameter
/// names, and restores all others.
pub fn settle(cx: &Context) -> Result<Done, Failure> {
    let started = cx.sys.now();
    loop {
        // The address may also be withdrawn during this wait.
        let is_lost = cx.known.network.is_some() && !owner::replace(cx);
        let awaits_named = cx.claims.is_decided() && cx.claims.awaits_named();
        if !is_lost && !awaits_named {
            break;
        }
        let has_lost =
            |network: &NetworkUp| owner::with_all(cx, network).addresses().any(AddressUp::is_withdrawn);
        let has_lost = is_lost || cx.known.network.as_ref().is_some_and(has_lost);
        let limit = if has_lost { LOST_WAIT } else { NAMED_WAIT };
        if cx.sys.now().saturating_sub(started) >= limit || cx.left().is_zero() {
            break;
        }
        cx.claims.wait(&*cx.sys, POLL);
    }
    cx.claims.close();
    owner::configure_companions(cx);
    let all = cx.claims.all();
    let is_up = |index: u32| all.iter().any(|one| one.link.index == index && one.up.is_some());
    for lacking in all.iter().filter(|one| one.is_named && !is_up(one.link.index)) {
        cx.note(Level::Warning, format!("ip= names an interface that has no address: {lacking}"));
    }
    let mut told = Ok(());
    for link in cx.claims.found().iter().filter(|link| !is_up(link.index)) {
        if let Err(error) = apply::restore(cx, link) {
            told = Err(Failure::from_sys(
                Code::NetConfigure,
                format!("restore the interface {}", link.name),
                &error,
            ));
        }
    }
    let mut done = Done::with(cx.claims.stories());
    if let Some(network) = &cx.known.network {
        let mut network = owner::with_all(cx, network);
        // With an address that was replaced meanwhile, its static routes went, too.
        network.routes.clear();
        owner::add_missing_routes(cx, &mut network);
        // Other addresses came meanwhile, and servers may have extended leases with other name servers.
        write_resolv_conf(cx, &network);
        done = done.and(Learned::Network(Box::new(network)));
    }
    told.map(|()| done)
}

fn links(cx: &Context) -> Result<Vec<Link>, Failure> {
    cx.sys.links().map_err(|error| Failure::from_sys(Code::NetNoLink, "list the interfaces", &error))
}

/// Whether it is an Ethernet interface, or a veth, the only kind in a container.
fn is_ethernet(kind: &LinkKind) -> bool {
    match kind {
        LinkKind::Ethernet => true,
        LinkKind::Virtual(kind) => kind == "veth",
        LinkKind::Loopback => false,
    }
}

/// Loads a module that the network needs. Where it is missing and not built in, its use fails and reports it.
fn load(cx: &Context, module: &str) {
    if let Err(failure) = cx.modules.load(module) {
        cx.note(Level::Warning, format!("{}: {}", failure.tried, failure.wrong));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tells;

    #[test]
    fn the_pages_tell_the_waits() {
        let (named, lost) = (NAMED_WAIT.as_secs(), LOST_WAIT.as_secs());
        tells("explanation/network.md", &format!("waits up to {named} s for interfaces that `ip=` names"));
        tells("how-to/network-handover.md", &format!("is found within {lost} s in the step `settle`"));
    }
}
