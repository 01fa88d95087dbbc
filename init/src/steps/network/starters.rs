//! Which interfaces may be probed, and when.

use std::time::Duration;

use dayfly_formats::mac::Mac;
use dayfly_plan::network::{Network, Preferred};
use dayfly_sys::Link;

use super::is_ethernet;
use crate::claims::{Contender, State};
use crate::context::Context;

/// The preferred interface gets this head start before all others join.
const HEAD_START: Duration = Duration::from_secs(10);

/// The interfaces that may be probed after this time.
pub fn starters(links: &[Link], wanted: &Network, since: Duration) -> Vec<Link> {
    let may_start = |link: &&Link| {
        since >= HEAD_START
            || is_named(wanted, link)
            || wanted.preferred.as_ref().is_none_or(|preferred| is(preferred, link))
    };
    links
        .iter()
        .filter(|link| is_ethernet(&link.kind) || is_named(wanted, link))
        .filter(|link| link.port_of.is_none())
        .filter(|link| wanted.config(&link.name).is_some_and(|config| !config.addresses.is_empty()))
        .filter(may_start)
        .cloned()
        .collect()
}

/// Whether a claim may be configured after this time: the others wait for the claim of the preferred interface.
pub fn may_win(cx: &Context, wanted: &Network, claim: &Contender, since: Duration) -> bool {
    let Some(preferred) = &wanted.preferred else { return true };
    let is_awaited = |one: &Contender| is(preferred, &one.link) && matches!(one.state, State::Waiting(_));
    since >= HEAD_START || is(preferred, &claim.link) || !cx.claims.all().iter().any(is_awaited)
}

/// Whether every probe has failed within the limits of the parameters, and no interface is awaited any more. Without limits,
/// the step waits until its deadline: an interface may appear late.
pub fn have_given_up(cx: &Context, wanted: &Network, links: &[Link], since: Duration) -> bool {
    if !wanted.has_limits() {
        return false;
    }
    let all = cx.claims.all();
    let is_there = |name: &String| links.iter().any(|link| link.name == *name);
    let is_missing = all.is_empty() || wanted.links.iter().any(|link| !is_there(&link.name));
    let is_awaited = is_missing && wanted.link_wait.is_none_or(|wait| since < wait);
    !is_awaited && all.iter().all(|one| matches!(one.state, State::Failed(_)))
}

/// Whether a parameter names the interface.
pub fn is_named(wanted: &Network, link: &Link) -> bool {
    wanted.link(&link.name).is_some()
}

/// Whether an interface is the preferred one.
pub fn is(preferred: &Preferred, link: &Link) -> bool {
    match preferred {
        Preferred::Mac(mac) => link.mac.map(Mac) == Some(*mac),
        Preferred::Name(name) => link.name == *name,
    }
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
