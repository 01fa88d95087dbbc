//! When the network is ready: which way leads to the first server that the boot needs. Every way that has a claim is configured, each
//! with its own metric, and the server is asked over each of them at once. The first one over which it answers is used; the owner
//! removes the others.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dayfly_formats::resolv_conf::ResolvConf;
use dayfly_plan::network::{Network, Ready, Server};
use dayfly_sys::{Family, Link, Reach};

use super::{owner, starters};
use crate::claims::{Contender, Origin, State};
use crate::context::Context;
use crate::events::Level;
use crate::{AddressUp, Failure, threads};

/// How long the server is asked over all ways, before the best claim is used without its answer. The step that needs the server then
/// reports what is wrong with it.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// If the server has not answered over the preferred interface in this time, the others no longer wait for it.
const PREFERRED_WAIT: Duration = Duration::from_secs(1);
/// The limit of one question.
const QUESTION_LIMIT: Duration = Duration::from_secs(3);
/// The pause between a failed question and the next one.
const PAUSE: Duration = Duration::from_millis(250);

/// What the owner is to do.
pub enum Choice {
    /// Use this way, which is configured with this address.
    Use(Box<(Contender, AddressUp)>),
    /// Wait for an answer of the server.
    Wait,
    /// No way has a claim that is left to try.
    Nothing,
}

/// Configures the claims of now, and chooses among those that are configured. With `only_answered`, never one without an answer.
pub fn choose(cx: &Context, wanted: &Network, since: Duration, only_answered: bool) -> Choice {
    let is_preferred = |link: &Link| wanted.preferred.as_ref().is_some_and(|one| starters::is(one, link));
    let may_win = |claim: &Contender| starters::may_win(cx, wanted, claim, since);
    for claim in cx.claims.candidates(is_preferred) {
        match &wanted.ready {
            Ready::Address if may_win(&claim) => {
                if let Some(up) = owner::try_configure(cx, &claim) {
                    return Choice::Use(Box::new((claim, up)));
                }
            }
            Ready::Server(_) if gives_way(cx, &claim) => {
                owner::try_configure(cx, &claim);
            }
            Ready::Address | Ready::Server(_) => {}
        }
    }
    let Ready::Server(server) = &wanted.ready else { return Choice::Nothing };
    let (now, is_over) = (cx.sys.now(), cx.left().is_zero());
    let (mut is_any_asked, mut are_all_late) = (false, true);
    // Each way has the whole time for an answer, also one that was ready later than others.
    let is_late = |one: &Contender| {
        is_over || one.first_asked.is_some_and(|asked| now.saturating_sub(asked) >= ANSWER_WAIT)
    };
    for way in cx.claims.all() {
        let Some(up) = way.up.as_ref().filter(|_| !cx.claims.is_winner(way.way())) else { continue };
        if !may_lead(server, &way) && (!is_over || !is_on_its_link(server, &way)) {
            // It is no reason to stop waiting for the other IP version, or for the server's own interface.
            continue;
        }
        if way.asked.is_none() {
            ask(cx, wanted, server, &way, up);
        }
        (is_any_asked, are_all_late) = (true, are_all_late && is_late(&way));
    }
    if !is_any_asked {
        return Choice::Nothing;
    }
    let may_fail = |claim: &Contender| {
        let may_lead = may_lead(server, claim) || is_over && is_on_its_link(server, claim);
        is_late(claim) && !only_answered && may_lead
    };
    let awaits_preferred = wanted.preferred.is_some()
        && cx.claims.all().iter().any(|one| {
            let is_new = one.asked.is_some_and(|asked| now.saturating_sub(asked) < PREFERRED_WAIT);
            is_preferred(&one.link) && is_new && one.answer.is_none()
        });
    let is_fit = |claim: &Contender| claim.answer == Some(Ok(())) || may_fail(claim);
    let ready = cx.claims.ready(is_preferred, is_fit).filter(may_win);
    let ready = ready.filter(|claim| !awaits_preferred || is_preferred(&claim.link));
    match ready.and_then(|claim| Some((claim.up.clone()?, claim))) {
        Some((up, claim)) => {
            if claim.answer != Some(Ok(())) {
                let text = format!("{server} does not answer: {}", cx.claims.stories());
                cx.note(Level::Warning, text);
            }
            Choice::Use(Box::new((claim, up)))
        }
        None if are_all_late && only_answered => Choice::Nothing,
        None => Choice::Wait,
    }
}

/// Whether a way is of the server's IP version, and for a link-local server of its interface. A name may have addresses of both versions.
fn may_lead(server: &Server, way: &Contender) -> bool {
    is_on_its_link(server, way)
        && server.host.parse().map_or(true, |address: IpAddr| Family::of(address) == way.family)
}

/// Whether a way is of the interface that a link-local server is reached by.
fn is_on_its_link(server: &Server, way: &Contender) -> bool {
    server.interface.as_ref().is_none_or(|interface| *interface == way.link.name)
}

/// Whether the server does not answer over the preferred interface in time, so that the others no longer wait for it.
pub fn is_preferred_slow(cx: &Context, wanted: &Network) -> bool {
    let Some(preferred) = &wanted.preferred else { return false };
    let now = cx.sys.now();
    cx.claims.all().iter().filter(|one| starters::is(preferred, &one.link)).any(|one| {
        let is_late = one.asked.is_some_and(|asked| now.saturating_sub(asked) >= PREFERRED_WAIT);
        matches!(one.answer, Some(Err(_))) || is_late && one.answer.is_none()
    })
}

/// Whether the address of a claim can be configured: one that another interface has already, such as a static address for any
/// interface, goes to the next interface only if the server does not answer.
fn gives_way(cx: &Context, claim: &Contender) -> bool {
    let address = match &claim.state {
        State::Claims(Origin::Static(fixed)) => fixed.address,
        State::Claims(Origin::Lease(lease, _)) => IpAddr::V4(lease.address),
        State::Claims(Origin::Autoconf(autoconf, _)) => IpAddr::V6(autoconf.address),
        State::Waiting(_) | State::Failed(_) => return false,
    };
    // Every interface may have the same link-local address.
    if matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
        return true;
    }
    let all = cx.claims.all();
    let is_holder = |one: &&Contender| one.up.as_ref().is_some_and(|up| up.address == address);
    let Some(holder) = all.iter().find(is_holder) else { return true };
    let fails = matches!(holder.answer, Some(Err(_))) || cx.claims.is_winner(holder.way());
    if fails {
        owner::take_back(cx, std::slice::from_ref(holder));
    }
    fails
}

/// Asks the server over a way, on a thread of its own, until it answers or the owner no longer waits for it.
fn ask(cx: &Context, wanted: &Network, server: &Server, claim: &Contender, up: &AddressUp) {
    let (sys, claims, server) = (Arc::clone(&cx.sys), Arc::clone(&cx.claims), server.clone());
    let (way, since, family) = (claim.way(), cx.sys.now(), claim.family);
    let resolver = resolver(wanted, up);
    claims.ask(way, since);
    let on_panic = {
        let claims = Arc::clone(&cx.claims);
        move |failure: Failure| claims.answer(way, since, Err(failure.wrong))
    };
    let run = move || {
        let reach = Reach { host: &server.host, port: server.port, family, resolver: &resolver };
        while claims.is_asked(way, since) {
            let answer = sys.reach(&reach, way.index, QUESTION_LIMIT).map_err(|error| error.to_string());
            let is_reached = answer.is_ok();
            claims.answer(way, since, answer);
            if is_reached {
                break;
            }
            sys.sleep(PAUSE);
        }
    };
    let version = if family == Family::V4 { "v4" } else { "v6" };
    if let Err(error) = threads::start(format!("ask {} {version}", claim.link.name), on_panic, run) {
        cx.claims.answer(way, since, Err(format!("the thread could not be started: {error}")));
    }
}

/// The name servers and search domains that a way has.
fn resolver(wanted: &Network, up: &AddressUp) -> ResolvConf {
    let given = up.given_dns.iter().filter(|_| wanted.peer_dns);
    let servers = wanted.dns.iter().chain(&up.dns).chain(given).cloned().collect();
    let search = up.search.iter().chain(&up.domain).filter(|_| wanted.peer_dns).cloned().collect();
    ResolvConf { servers, search }
}
