//! Why there is no network: the reason of each interface.

use dayfly_plan::Code;
use dayfly_plan::network::{Network, Ready};

use crate::Failure;
use crate::claims::{Contender, Reason, State};

/// The failure, with the reason of each interface.
pub fn explain(wanted: &Network, all: &[Contender], problems: Vec<String>, troubles: &str) -> Failure {
    let tried = format!("bring the network up: {wanted}");
    if all.is_empty() {
        let none = if problems.is_empty() {
            "there is no network interface".to_owned()
        } else {
            problems.join("; ")
        };
        return Failure::new(Code::NetNoLink, tried, none + troubles);
    }
    let reasons: Vec<&Reason> = all
        .iter()
        .filter_map(|one| match &one.state {
            State::Waiting(reason) | State::Failed(reason) => Some(reason),
            State::Claims(_) => None,
        })
        .collect();
    // The interface of a link-local server.
    let server_link = match &wanted.ready {
        Ready::Server(server) => server.interface.as_ref(),
        Ready::Address => None,
    };
    let code = if server_link.is_some_and(|name| all.iter().all(|one| one.link.name != *name)) {
        Code::NetNoLink
    } else if reasons.iter().all(|reason| **reason == Reason::NoCarrier) {
        Code::NetNoCarrier
    } else if reasons.iter().any(|reason| matches!(reason, Reason::NoLease(_))) {
        Code::NetNoLease
    } else {
        Code::NetConfigure
    };
    let stories: Vec<String> = all.iter().map(ToString::to_string).chain(problems).collect();
    Failure::new(code, tried, stories.join("; "))
}
