//! Which of two interfaces is configured, and what becomes of the other.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::boots::{GOOD, Network, booted, booted_under};
use dayfly_init::boot::Ended;
use nix::sched::CloneFlags;

use crate::namespace::run;

#[test]
fn the_image_is_found_behind_whichever_card_leads_to_it() {
    let away = |refuses| Network { has_image: false, refuses, ..GOOD };
    for (networks, winner, loser) in [
        ([away(false), GOOD], "vb", "va"),
        ([GOOD, away(true)], "va", "vb"),
        ([away(true), GOOD], "vb", "va"),
    ] {
        let booted = booted("", networks);
        booted.assert_only(winner, loser);
        assert!(booted.addresses_of(winner)[0].starts_with(if winner == "va" {
            "10.9.1."
        } else {
            "10.9.2."
        }));
        let settled = booted.attempts("settle");
        assert_eq!(settled.len(), 1);
        // The server is asked over both, and the image is requested once.
        assert_eq!(booted.attempts("network").len(), 1, "{}", booted.log);
        assert_eq!(booted.attempts("fetch").len(), 1, "{}", booted.log);
        assert_eq!(booted.report["node"]["mac"], booted.card(winner)["address"]);
    }
}

#[test]
fn the_wrong_card_first_is_given_up_for_the_other() {
    let networks = |refuses| [Network { has_image: false, refuses, ..GOOD }, GOOD];
    for refuses in [true, false] {
        // The interface from which the firmware booted is first.
        let booted = booted("BOOTIF=01-02-00-00-00-00-01", networks(refuses));
        booted.assert_only("vb", "va");
        let networks = booted.attempts("network");
        assert_eq!(networks.len(), 1, "{networks:?}");
        assert!(networks[0]["detail"].as_str().unwrap().starts_with("vb has 10.9.2."), "{networks:?}");
        let told = booted.attempts("settle")[0]["detail"].as_str().unwrap();
        assert!(told.contains("va: 10.9.1.") && told.contains(", does not lead to the server: "), "{told}");
    }
    // Both are named, so both are configured; the routes of the one that leads to the image have precedence.
    let booted = booted("ip=va:dhcp ip=vb:dhcp", networks(true));
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    assert_eq!(booted.defaults(), ["vb", "va"], "{}\n{}", booted.routes, booted.log);
    assert_eq!(booted.addresses_of("va").len(), 1, "{}", booted.addresses);
    assert_eq!(booted.addresses_of("vb").len(), 1, "{}", booted.addresses);
}

/// The server's address is also in the network of va, where the server is not: the route to that network is better than the default
/// route of vb.
#[test]
fn the_image_is_fetched_over_the_interface_on_which_the_server_answered() {
    let elsewhere = Network { dhcp: None, has_image: false, refuses: true };
    let booted = booted("ip=10.9.9.5:::24::va:none ip=vb:dhcp", [elsewhere, GOOD]);
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    assert_eq!(booted.addresses_of("va"), ["10.9.9.5/24"], "{}", booted.addresses);
    assert_eq!(booted.attempts("network").len(), 1, "{}", booted.log);
    assert_eq!(booted.attempts("fetch").len(), 1, "{}", booted.log);
}

/// The server's name exists only in the network of vb. A name server of the same address in the network of va denies it.
#[test]
fn the_name_is_asked_over_the_interface_on_which_the_server_answered() {
    let dns: &[&str] = &["--dhcp-option=option:dns-server,10.9.9.9"];
    let elsewhere = Network { dhcp: None, has_image: false, refuses: true };
    let words = "root=live:http://boot.lan/os.squashfs ip=10.9.9.5:::24::va:none ip=vb:dhcp";
    let booted = booted_under(words, [elsewhere, Network { dhcp: Some(dns), ..GOOD }], || {
        run("ip", &["-n", "net-va", "address", "add", "10.9.9.9/24", "dev", "lan"]);
        for (host, answer) in [("net-va", None), ("net-vb", Some([10, 9, 9, 9]))] {
            name_server(host, answer);
        }
    });
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    assert_eq!(booted.attempts("fetch").len(), 1, "{}", booted.log);
}

/// Answers all questions for names at 10.9.9.9, in the network of a host: with one address, or that there is no such name.
fn name_server(host: &str, address: Option<[u8; 4]>) {
    let network = fs::File::open(format!("/run/netns/{host}")).unwrap();
    std::thread::spawn(move || {
        nix::sched::setns(network, CloneFlags::CLONE_NEWNET).unwrap();
        let socket = std::net::UdpSocket::bind("10.9.9.9:53").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut buffer = [0; 512];
        while let Ok((count, from)) = socket.recv_from(&mut buffer) {
            // The question with the header of an answer; a question for IPv6 has none.
            let mut answer = buffer[..count].to_vec();
            let is_v4 = answer[count - 3] == 1;
            let found = address.filter(|_| is_v4);
            answer[2] = 0x84;
            answer[3] = if address.is_none() { 3 } else { 0 };
            answer[7] = u8::from(found.is_some());
            if let Some(address) = found {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
                answer.extend(address);
            }
            let _ = socket.send_to(&answer, from);
        }
    });
}

#[test]
fn a_second_card_without_an_answer_costs_nothing() {
    let booted = booted("", [GOOD, Network { dhcp: None, has_image: false, refuses: false }]);
    booted.assert_only("va", "vb");
    assert_eq!(booted.attempts("network").len(), 1);
    assert!(booted.took < Duration::from_secs(10), "{:?}", booted.took);
}

#[test]
fn of_two_good_cards_one_is_configured() {
    let booted = booted("", [GOOD, GOOD]);
    let winner = booted.defaults()[0].to_owned();
    booted.assert_only(&winner, if winner == "va" { "vb" } else { "va" });
    assert_eq!(booted.attempts("network").len(), 1);
}

/// Options of a real server that no interface and no kernel accepts.
#[test]
fn nonsense_of_a_real_server_does_not_keep_the_node_from_its_image() {
    let odd: &[&str] = &[
        // 65535 is the most that veth accepts.
        "--dhcp-option-force=option:mtu,65535",
        "--dhcp-option-force=option:classless-static-route,127.0.0.0/8,10.9.1.9,224.0.0.0/4,10.9.1.9,192.168.7.0/24,10.9.1.9,0.0.0.0/0,10.9.1.1,0.0.0.0/0,10.9.1.7,198.51.100.0/24,172.16.0.9",
        "--dhcp-option-force=option:dns-server,255.255.255.255,10.9.1.1",
    ];
    let booted = booted("ip=va:dhcp", [Network { dhcp: Some(odd), ..GOOD }, GOOD]);
    booted.assert_only("va", "vb");
    let routes: Vec<(&str, &str)> = booted
        .routes
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|route| Some((route["dst"].as_str()?, route["gateway"].as_str()?)))
        .collect();
    for wanted in [("default", "10.9.1.1"), ("192.168.7.0/24", "10.9.1.9"), ("198.51.100.0/24", "172.16.0.9")]
    {
        assert!(routes.contains(&wanted), "{routes:?}");
    }
    assert_eq!(routes.len(), 3, "{routes:?}");
    for line in [
        "va: route 127.0.0.0/8 via 10.9.1.9 ignored: 127.0.0.0/8 is this host itself",
        "va: route 224.0.0.0/4 via 10.9.1.9 ignored: 224.0.0.0/4 is multicast",
        "va: route 0.0.0.0/0 via 10.9.1.7 ignored: the same network already has a route",
        "va: router 172.16.0.9 is outside the network 10.9.1.",
        "va: name server 255.255.255.255 is the broadcast address, ignored",
    ] {
        assert!(booted.log.contains(line), "{line:?} is not in\n{}", booted.log);
    }
    assert_eq!(booted.card("va")["mtu"], 65535);
}

#[test]
fn a_host_alone_in_its_net_reaches_its_router() {
    let cloud: &[&str] =
        &["--dhcp-option-force=option:netmask,255.255.255.255", "--dhcp-option-force=option:router,10.9.1.1"];
    let booted = booted("ip=va:dhcp", [Network { dhcp: Some(cloud), ..GOOD }, GOOD]);
    booted.assert_only("va", "vb");
    assert!(booted.addresses_of("va")[0].ends_with("/32"), "{}", booted.addresses);
}

#[test]
fn a_card_keeps_to_the_mtu_that_it_can_do() {
    // The driver of veth accepts 68 to 65535; DHCP's messages do not fit into 68.
    for (words, mtu) in [("ip=va:dhcp:65535", 65535), ("ip=va:dhcp:68", 576), ("ip=va:dhcp:9000", 9000)] {
        let booted = booted(words, [GOOD, GOOD]);
        booted.assert_only("va", "vb");
        assert_eq!(booted.card("va")["mtu"], mtu, "{words}: {}", booted.log);
    }
}

/// A neighbour that sends packets to the DHCP client's port as quickly as it can. Once each was a line in an unlimited queue:
/// 300 MB, and neither a failure screen nor boot.json.
#[test]
fn a_flood_of_dhcp_packets_leaves_memory_and_the_record_alone() {
    let nobody = Network { dhcp: None, has_image: false, refuses: true };
    let memory = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = memory();
    let sent = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let booted = booted_under("dayfly.retry=6", [nobody, nobody], move || {
        let network = fs::File::open("/run/netns/net-va").unwrap();
        std::thread::spawn(move || {
            nix::sched::setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            let socket = std::net::UdpSocket::bind("10.9.1.1:67").unwrap();
            socket.set_broadcast(true).unwrap();
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(30) {
                // Before the interface is up, sending fails.
                if socket.send_to(&[2; 300], "10.9.1.255:68").is_ok() {
                    counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        });
    });
    let sent = sent.load(std::sync::atomic::Ordering::Relaxed);
    assert!(sent > 10_000, "{sent} packets are no flood");
    let grown = memory().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more for {sent} packets");
    assert_eq!(booted.ended, Ended::Failed);
    assert_eq!(
        (&booted.report["outcome"], &booted.report["failure"]["code"]),
        (&"failed".into(), &"net.no-lease".into())
    );
    assert!(booted.log.len() < 1 << 20, "{} bytes", booted.log.len());
    assert!(booted.log.contains(" more lines of this kind were suppressed"), "{}", booted.log);
    assert!(booted.log.contains("DAYFLY COULD NOT BOOT THIS NODE"), "{}", booted.log);
}
