//! Why there is no network: the reason of each interface.

use std::net::IpAddr;

use dayfly_plan::Code;
use dayfly_plan::network::{Network, Ready};
use dayfly_sys::Family;

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
    } else if reasons.is_empty() || all.iter().any(|one| is_asked(wanted, one)) {
        // An interface has an address of the server's IP version, and the server does not answer over it.
        Code::NetNoServer
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

/// Whether the server can be asked over this address: it is of the server's IP version, as far as that is known.
fn is_asked(wanted: &Network, one: &Contender) -> bool {
    let Ready::Server(server) = &wanted.ready else { return false };
    let fits = |host: IpAddr| Family::of(host) == one.family;
    matches!(one.state, State::Claims(_)) && server.host.parse().map_or(true, fits)
}

#[cfg(test)]
mod tests {
    use dayfly_plan::network::{Config, Ready, Server, StaticAddress};

    use super::*;
    use crate::claims::Origin;
    use crate::samples::ethernet;

    fn network() -> Network {
        Network {
            names: Vec::new(),
            links: Vec::new(),
            others: None,
            preferred: None,
            routes: Vec::new(),
            dns: Vec::new(),
            ntp: Vec::new(),
            peer_dns: true,
            ready: Ready::Address,
            hostname: None,
            uuid: None,
            vendor_class: None,
            needs_ipv4: false,
            link_wait: None,
        }
    }

    #[test]
    fn the_code_is_that_of_the_reasons() {
        let contender = |state: State| Contender {
            probe: None,
            family: Family::V4,
            link: ethernet(2, "eth0"),
            driver: None,
            config: Config::default(),
            is_named: false,
            state,
            turns: 0,
            lost: None,
            has_changed: false,
            up: None,
            asked: None,
            first_asked: None,
            answer: None,
        };
        let claims = || {
            let fixed =
                StaticAddress { address: [10, 0, 2, 15].into(), prefix: 24, peer: None, gateway: None };
            State::Claims(Origin::Static(fixed))
        };
        let waits = |reason| State::Waiting(reason);
        let no_lease = || waits(Reason::NoLease("sent 3 Discovers".to_owned()));
        let of = |host: &str| {
            let ready = Ready::Server(Server { host: host.to_owned(), interface: None, port: 80 });
            Network { ready, ..network() }
        };
        for (states, host, code) in [
            (vec![waits(Reason::NoCarrier), claims()], "10.0.0.1", Code::NetNoServer),
            (vec![no_lease(), claims()], "boot.example", Code::NetNoServer),
            // An IPv4 address does not lead to an IPv6 server.
            (vec![no_lease(), claims()], "2001:db8::1", Code::NetNoLease),
            (vec![waits(Reason::NoCarrier)], "10.0.0.1", Code::NetNoCarrier),
        ] {
            let all: Vec<Contender> = states.into_iter().map(contender).collect();
            assert_eq!(explain(&of(host), &all, Vec::new(), "").code, code, "{host}: {all:?}");
        }
        for (states, code) in [
            (vec![], Code::NetNoLink),
            (vec![claims(), claims()], Code::NetNoServer),
            (vec![waits(Reason::NoCarrier)], Code::NetNoCarrier),
            (vec![waits(Reason::NoCarrier), claims()], Code::NetNoCarrier),
            (vec![waits(Reason::NoCarrier), no_lease()], Code::NetNoLease),
            (vec![State::Failed(Reason::Refused("no".to_owned()))], Code::NetConfigure),
        ] {
            let all: Vec<Contender> = states.into_iter().map(contender).collect();
            assert_eq!(explain(&network(), &all, Vec::new(), "").code, code, "{all:?}");
        }
    }
}
