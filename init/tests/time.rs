//! The clock by time servers, on the fake machine: who is asked, what an answer may do, and what waits for it.

mod machine;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use machine::ntp::Server;
use machine::{End, Machine, Node, State};

const IMAGE: &str = "root=live:http://10.0.2.2/os.squashfs ip=dhcp";
/// 2026-11-28.
const BUILT: u64 = 1_795_824_000;
const LATER: u64 = BUILT + 40 * 24 * 3600;

/// Boots with a clock that is right at the build time, and this time server of option 42.
fn booted(words: &str, prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let machine = Machine::new(&format!("{IMAGE} {words}"));
    {
        let mut state = machine.state();
        state.put(Path::new("/etc/dayfly-build"), Node::File(format!("epoch={BUILT}\n").into_bytes()));
        state.epoch = BUILT;
        state.dhcp_ntp = vec![[10, 0, 2, 9].into()];
        prepare(&mut state);
    }
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
    machine
}

/// The outcome of the step, and what it says.
fn step(machine: &Machine) -> (String, String) {
    let row = machine.step("time");
    let words = row["failure"]["wrong"].as_str().or(row["detail"].as_str()).unwrap();
    (row["outcome"].as_str().unwrap().to_owned(), words.to_owned())
}

fn asked(machine: &Machine) -> Vec<String> {
    let mut hosts: Vec<String> =
        machine.state().calls.iter().filter_map(|call| Some(call.strip_prefix("ask ")?.to_owned())).collect();
    hosts.dedup();
    hosts
}

#[test]
fn the_servers_answer_moves_the_clock_forward() {
    let machine = booted("", |state| {
        state.time_servers.insert("10.0.2.9".to_owned(), Server::new(LATER));
        keep_fetching(state);
    });
    assert_eq!(step(&machine), ("done".to_owned(), "set by 10.0.2.9".to_owned()));
    let words = "the clock was set from 2026-11-28 00:00 UTC to 2027-01-07 00:00 UTC by 10.0.2.9 (stratum 2)";
    assert!(machine.state().log.iter().any(|(_, line)| line.contains(words)), "{:#?}", machine.state().log);
    assert_eq!(machine.state().epoch, LATER);
    assert_eq!(asked(&machine), ["10.0.2.9:123 2"]);
}

#[test]
fn a_clock_that_is_right_is_not_set() {
    let machine = booted("", |state| {
        state.time_servers.insert("10.0.2.9".to_owned(), Server::new(BUILT + 1));
        keep_fetching(state);
    });
    let words = "the clock is right within 2 s, says 10.0.2.9 (stratum 2)";
    assert_eq!(step(&machine), ("done".to_owned(), words.to_owned()));
    assert!(!machine.state().calls.contains(&"set_clock now".to_owned()));
}

#[test]
fn a_server_that_lies_or_refuses_does_not_move_the_clock() {
    fn bad(change: fn(&mut [u8; 48])) -> Server {
        Server { change, ..Server::new(LATER) }
    }
    for (server, said) in [
        (
            Server::new(0),
            "10.0.2.9: it says 1970-01-01 00:00 UTC, and the clock, 2026-11-28 00:00 UTC, is never set back",
        ),
        (
            Server::new(BUILT - 3600),
            "10.0.2.9: it says 2026-11-27 23:00 UTC, and the clock, 2026-11-28 00:00 UTC, is never set back",
        ),
        (
            Server::new(4_070_908_800),
            "10.0.2.9: it says 2099-01-01 00:00 UTC, and no time after 2041-11-24 00:00 UTC is believed",
        ),
        (
            bad(|reply| reply[24] ^= 1),
            "10.0.2.9: ask 10.0.2.9: no answer; a reply was ignored: the originate timestamp is not that of the request",
        ),
        (
            bad(|reply| (reply[1], reply[12], reply[13], reply[14], reply[15]) = (0, b'R', b'A', b'T', b'E')),
            "10.0.2.9: the server gives no time (kiss code RATE)",
        ),
        (bad(|reply| reply[1] = 16), "10.0.2.9: the server's clock is not synchronised"),
        (bad(|reply| reply[0] |= 0xc0), "10.0.2.9: the server's clock is not synchronised"),
        (bad(|reply| reply[40..].fill(0)), "10.0.2.9: the reply has impossible timestamps"),
    ] {
        // The transfer takes longer than the servers are asked.
        let machine = booted("", |state| {
            state.time_servers.insert("10.0.2.9".to_owned(), server);
            keep_fetching(state);
        });
        assert_eq!(step(&machine), ("tolerated".to_owned(), said.to_owned()));
        assert_eq!(machine.state().epoch, BUILT, "{said}");
        assert!(!machine.state().calls.contains(&"set_clock now".to_owned()), "{said}");
    }
}

/// The image server refuses the first connections, so that the fetch takes some seconds.
fn keep_fetching(state: &mut State) {
    let call = "open_url http://10.0.2.2/os.squashfs".to_owned();
    state.fault = Some(machine::Fault { call, cause: dayfly_sys::Cause::Connect, times: 4 });
}

#[test]
fn one_good_server_is_enough_and_a_forged_reply_does_not_count() {
    let words = "dayfly.network.ntp=10.0.2.7 dayfly.network.ntp=ntp.example.org dayfly.network.ntp=10.0.2.8";
    let machine = booted(words, |state| {
        // 10.0.2.7 is silent, and the answer of 10.0.2.8 is wrong.
        state.time_servers.insert("10.0.2.8".to_owned(), Server::new(0));
        let slow =
            Server { after: Duration::from_millis(900), forged: Some(LATER + 5000), ..Server::new(LATER) };
        state.time_servers.insert("ntp.example.org".to_owned(), slow);
        keep_fetching(state);
    });
    assert_eq!(step(&machine), ("done".to_owned(), "set by ntp.example.org".to_owned()));
    assert_eq!(machine.state().epoch, LATER);
    // Those of DHCP are not asked beside.
    assert!(asked(&machine).iter().all(|host| !host.starts_with("10.0.2.9")), "{:?}", asked(&machine));
}

#[test]
fn a_silent_server_holds_no_boot() {
    let machine = booted("", |_| ());
    assert_eq!(
        step(&machine),
        ("tolerated".to_owned(), "everything else was done before it ended".to_owned())
    );
    let quick = booted("", |state| state.dhcp_ntp.clear());
    assert_eq!(step(&quick), ("done".to_owned(), "no time server is known".to_owned()));
    assert_eq!(machine.took(), quick.took());
}

#[test]
fn servers_of_the_parameters_are_asked_instead_of_those_of_dhcp() {
    let words = "ip=eth0:dhcp ip=192.168.7.9::192.168.7.1:24::eth1:off:::192.168.7.3";
    let machine = Machine::new(&format!("root=live:http://10.0.2.2/os.squashfs {words}"));
    {
        let mut state = machine.state();
        state.links.push(machine::link(3, "eth1"));
        state.dhcp_ntp = vec![[10, 0, 2, 9].into()];
        // Else the boot may be over before the thread of the server has run.
        keep_fetching(&mut state);
    }
    assert!(matches!(machine.boot(), End::Exec(_)), "{:#?}", machine.state().log);
    // Over the interface that the parameter is for.
    assert_eq!(asked(&machine), ["192.168.7.3:123 3"], "{:#?}", machine.state().log);
}

#[test]
fn https_waits_for_the_time_only_if_the_clock_was_not_set() {
    for (scheme, epoch, waits) in
        [("https", 0, true), ("http", 0, false), ("https", BUILT, false), ("http", BUILT, false)]
    {
        let machine = Machine::new(&format!("root=live:{scheme}://10.0.2.2/os.squashfs ip=dhcp"));
        {
            let mut state = machine.state();
            state.put(Path::new("/etc/dayfly-build"), Node::File(format!("epoch={BUILT}\n").into_bytes()));
            state.epoch = epoch;
            state.dhcp_ntp = vec![[10, 0, 2, 9].into()];
            let slow = Server { after: Duration::from_millis(1500), ..Server::new(LATER) };
            state.time_servers.insert("10.0.2.9".to_owned(), slow);
        }
        assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
        let asked = machine.state().calls.iter().position(|call| call.starts_with("open_url")).unwrap();
        let set = machine.state().calls.iter().rposition(|call| call == "set_clock now");
        assert_eq!(
            set.is_some_and(|set| set < asked) && machine.state().epoch == LATER,
            waits,
            "{scheme} {epoch}"
        );
    }
}

#[test]
fn a_silent_server_holds_https_for_5_s_if_the_clock_was_not_set() {
    let boot = |ntp: bool| {
        let machine = Machine::new("root=live:https://10.0.2.2/os.squashfs ip=dhcp");
        {
            let mut state = machine.state();
            state.put(Path::new("/etc/dayfly-build"), Node::File(format!("epoch={BUILT}\n").into_bytes()));
            if ntp {
                state.dhcp_ntp = vec![[10, 0, 2, 9].into()];
            }
        }
        assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
        machine
    };
    let (with, without) = (boot(true), boot(false));
    assert_eq!(with.took(), without.took() + Duration::from_secs(5));
    assert_eq!(step(&with).1, "10.0.2.9: ask 10.0.2.9: no answer");
    assert_eq!(with.state().epoch, BUILT);
}

#[test]
fn the_os_gets_the_servers() {
    let chrony = "/run/dayfly/l/etc/chrony/chrony.conf";
    for (words, config, sources, ntp) in [
        ("", "pool x\nsourcedir /run/chrony-dhcp\n", Some("server 10.0.2.9 iburst\n"), ""),
        ("", "#sourcedir /run/chrony-dhcp\n", None, ""),
        (
            "dayfly.network.ntp=ntp.example.org",
            "sourcedir /run/chrony-dhcp",
            Some("server ntp.example.org iburst\n"),
            "NTP=ntp.example.org\n",
        ),
    ] {
        let machine = booted(words, |state| {
            state.put(Path::new(chrony), Node::File(config.as_bytes().to_vec()));
        });
        assert_eq!(machine.file("/run/chrony-dhcp/dayfly.sources").as_deref(), sources, "{words} {config}");
        let file = machine.file("/run/systemd/network/00-dayfly-525400123402.network").unwrap();
        assert_eq!(file.contains("UseNTP=no\n"), !ntp.is_empty(), "{file}");
        assert!(file.contains(ntp), "{file}");
    }
}
