//! The handover of the node's address to NetworkManager, dhcpcd and netifrc, and what cloud-init gets, on the fake machine.

mod machine;

use std::path::Path;
use std::sync::Arc;

use dayfly_formats::dhcp4::{Lease, Message};
use machine::{End, Machine, Node, State, link, sha256, squashfs};

const SYSTEMD: &str = "/etc/systemd/system/multi-user.target.wants";
const RUNLEVEL: &str = "/etc/runlevels/default";
const NETWORK_MANAGER: &str = "/etc/systemd/system/multi-user.target.wants/NetworkManager.service";
const OPENRC: &str = "dayfly.init=/sbin/openrc-init";
const RENEWS: &str = "10.0.2.15/24 (leased for 3600 s)";

/// Boots an image with these files.
fn boot(words: &str, files: &[(&str, &str)]) -> Arc<Machine> {
    boot_on(words, files, |_| {})
}

/// The same, on a machine that `prepare` changes.
fn boot_on(words: &str, files: &[(&str, &str)], prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let sha256 = sha256(&squashfs(3 << 20));
    let root = format!("root=live:http://10.0.2.2/os.squashfs dayfly.image.sha256={sha256}");
    let words = if words.contains("ip=") { words.to_owned() } else { format!("{words} ip=dhcp") };
    let machine = Machine::new(&format!("{root} {words}"));
    for (path, text) in [("/sbin/openrc-init", "")].iter().chain(files) {
        let path = format!("/run/dayfly/l{path}");
        machine.state().put(Path::new(&path), Node::File(text.as_bytes().to_vec()));
    }
    prepare(&mut machine.state());
    let end = machine.boot();
    assert!(matches!(end, End::Exec(_)), "{end:?}: {:?}", machine.state().log);
    machine
}

/// The step's outcome and message.
fn step(machine: &Machine) -> (String, String) {
    let row = machine.step("address");
    let words = row["failure"]["wrong"].as_str().or(row["detail"].as_str()).unwrap();
    (row["outcome"].as_str().unwrap().to_owned(), words.to_owned())
}

fn done(words: &str) -> (String, String) {
    ("done".to_owned(), words.to_owned())
}

fn paths(machine: &Machine, folder: &str) -> Vec<String> {
    let state = machine.state();
    let below = state.nodes.keys().filter(|path| path.starts_with(folder) && path.extension().is_some());
    below.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn network_manager_takes_over_an_active_profile() {
    let services = [("", NETWORK_MANAGER), (OPENRC, "/etc/runlevels/default/networkmanager")];
    for (words, service) in services {
        let machine = boot(words, &[(service, "")]);
        assert_eq!(
            step(&machine),
            done(&format!("NetworkManager renews {RENEWS} with dayfly-eth0.nmconnection"))
        );
        let run = "/run/NetworkManager";
        let profile = machine.file(&format!("{run}/system-connections/dayfly-eth0.nmconnection")).unwrap();
        for line in
            ["mac-address=52:54:00:12:34:02", "method=auto", "dhcp-client-id=mac", "route-metric=1024"]
        {
            assert!(profile.contains(&format!("\n{line}\n")), "{profile}");
        }
        let uuid = profile.lines().find_map(|line| line.strip_prefix("uuid=")).unwrap();
        let state = machine.file(&format!("{run}/devices/2")).unwrap();
        assert!(state.contains(&format!("\nconnection-uuid={uuid}\n")), "{state}");
        let lease = machine.file(&format!("{run}/internal-{uuid}-eth0.lease")).unwrap();
        assert!(lease.ends_with("\nADDRESS=10.0.2.15\n"), "{lease}");
    }
}

#[test]
fn an_interface_that_is_removed_does_not_take_the_others_profile() {
    let machine = boot_on("ip=eth0:dhcp ip=eth1:dhcp", &[(NETWORK_MANAGER, "")], |state| {
        state.links.push(link(3, "eth1"));
        state.removed_at = Some(("mount overlay /sysroot", 3));
    });
    let (outcome, words) = step(&machine);
    assert_eq!(outcome, "done", "{words}");
    // Either interface may have been the first.
    assert!(words.contains(" with dayfly-eth0.nmconnection"), "{words}");
    assert!(words.contains("has no profile for eth1, which is not there any more"), "{words}");
}

#[test]
fn a_profile_of_the_image_for_this_interface_is_used() {
    let folder = "/etc/NetworkManager/system-connections";
    let named = (format!("{folder}/uplink.nmconnection"), "[connection]\ninterface-name=eth0\n");
    let general = (format!("{folder}/any.nmconnection"), "[connection]\ntype=ethernet\n");
    for (files, words) in [
        (
            vec![&named, &general],
            "NetworkManager uses the image's own uplink.nmconnection, which may not keep 10.0.2.15/24 (leased for 3600 s)",
        ),
        (
            vec![&general],
            "NetworkManager renews 10.0.2.15/24 (leased for 3600 s) with dayfly-eth0.nmconnection",
        ),
    ] {
        let mut files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        files.push((NETWORK_MANAGER, ""));
        let machine = boot("", &files);
        assert_eq!(step(&machine), done(words));
        assert_eq!(paths(&machine, "/run/NetworkManager").is_empty(), words.contains("the image's own"));
    }
}

/// The lease that a file of dhcpcd has.
fn lease(machine: &Machine, name: &str) -> Lease {
    let state = machine.state();
    match state.nodes.get(Path::new(&format!("/sysroot/var/lib/dhcpcd/{name}.lease"))) {
        Some(Node::File(bytes)) => Lease::from_message(&Message::parse(bytes).unwrap()).unwrap(),
        other => panic!("{name}.lease is {other:?}"),
    }
}

#[test]
fn dhcpcd_gets_the_message_of_the_server() {
    const CONFIG: &str = "/etc/dhcpcd.conf";
    let image = "duid\npersistent\n";
    for (words, folder) in [("", SYSTEMD), (OPENRC, RUNLEVEL)] {
        let service = format!("{folder}/dhcpcd{}", if words.is_empty() { ".service" } else { "" });
        let machine = boot(words, &[(&service, ""), (CONFIG, image)]);
        assert_eq!(step(&machine), done(&format!("dhcpcd renews {RENEWS}")));
        let lease = lease(&machine, "eth0");
        assert_eq!((lease.address.octets(), lease.lease_seconds), ([10, 0, 2, 15], Some(3600)));
        let config = machine.file("/sysroot/etc/dhcpcd.conf").unwrap();
        assert!(config.starts_with(image), "{config}");
        assert!(config.ends_with("\ninterface eth0\nmetric 1024\nclientid\n"), "{config}");

        // A persistent /etc has the options already.
        let again = boot(words, &[(&service, ""), (CONFIG, &config)]);
        assert_eq!(again.file("/sysroot/etc/dhcpcd.conf"), Some(config));

        let own = boot(words, &[(&service, ""), (CONFIG, "interface eth0\nstatic ip_address=10.0.2.9/24\n")]);
        let told = format!("dhcpcd uses the image's own options for eth0, which may not keep {RENEWS}");
        assert_eq!(step(&own), done(&told));
        assert!(paths(&own, "/sysroot/var/lib/dhcpcd").is_empty());
    }
}

/// The boot waits for another interface after it has got the lease, which is older then when it is handed over.
#[test]
fn a_lease_is_counted_from_when_it_was_given() {
    let networking = format!("{SYSTEMD}/networking.service");
    let networking = [(networking.as_str(), ""), ("/usr/lib/ifupdown/settle-dad.sh", "")];
    let aged = |client| {
        let mut files = networking.to_vec();
        files.push((client, ""));
        boot_on("ip=eth0:dhcp ip=eth1:dhcp", &files, |state| {
            state.links.push(link(3, "eth1"));
            state.silent = vec![3];
        })
    };
    let machine = aged("/usr/sbin/dhcpcd");
    let state = machine.state();
    let modified = state.modified[Path::new("/sysroot/var/lib/dhcpcd/eth0.lease")];
    let age = state.epoch - modified;
    assert!((10..60).contains(&age), "{age}");
    drop(state);

    let machine = aged("/usr/sbin/dhclient");
    let text = machine.file("/sysroot/var/lib/dhcp/dhclient.eth0.leases").unwrap();
    let at = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap();
        line.trim_start_matches(" epoch ").trim_end_matches(';').parse().unwrap()
    };
    let age = machine.state().epoch + 3600 - at("expire");
    assert!((10..60).contains(&age), "{age}: {text}");
    assert_eq!((at("expire") - at("renew"), at("expire") - at("rebind")), (1800, 450), "{text}");
    assert!(text.contains("\n  option dhcp-lease-time 3600;\n"), "{text}");
}

#[test]
fn ifupdown_starts_dhcpcd_where_there_is_no_dhclient() {
    let service = format!("{SYSTEMD}/networking.service");
    let files = [(service.as_str(), ""), ("/usr/lib/ifupdown/settle-dad.sh", ""), ("/usr/sbin/dhcpcd", "")];
    let machine = boot("", &files);
    assert_eq!(step(&machine), done(&format!("ifupdown and dhcpcd renew {RENEWS}")));
    assert_eq!(lease(&machine, "eth0").address.octets(), [10, 0, 2, 15]);
    let interfaces = machine.file("/sysroot/etc/network/interfaces").unwrap();
    assert!(interfaces.contains("\nauto mac/52:54:00:12:34:02/1=dayfly\n"), "{interfaces}");
    assert!(!interfaces.contains("dhclient"), "{interfaces}");
}

#[test]
fn ifupdown_ng_starts_dhcpcd() {
    const INTERFACES: &str = "/etc/network/interfaces";
    let service = format!("{RUNLEVEL}/networking");
    let (service, executors) = ((service.as_str(), ""), ("/usr/libexec/ifupdown-ng/dhcp", ""));
    let dhcpcd = ("/sbin/dhcpcd", "");
    let image = "auto lo\niface lo inet loopback\n";
    let machine = boot(OPENRC, &[service, executors, dhcpcd, (INTERFACES, image)]);
    assert_eq!(step(&machine), done(&format!("ifupdown and dhcpcd renew {RENEWS}")));
    assert_eq!(lease(&machine, "eth0").address.octets(), [10, 0, 2, 15]);
    let written = machine.file("/sysroot/etc/network/interfaces").unwrap();
    assert!(written.contains("\nauto eth0\niface eth0 inet dhcp\n"), "{written}");
    assert!(written.ends_with(&format!("\n{image}")), "{written}");
    // A persistent /etc has the stanza already.
    let again = boot(OPENRC, &[service, executors, dhcpcd, (INTERFACES, &written)]);
    assert_eq!(again.file("/sysroot/etc/network/interfaces"), Some(written));

    let fixed = format!("{OPENRC} ip=10.0.2.50::10.0.2.2:24::eth0:none");
    let own = (INTERFACES, "iface eth0 inet static\n");
    for (words, files, told) in [
        (
            fixed.as_str(),
            &[service, executors, dhcpcd][..],
            "10.0.2.50/24 stays: ifupdown does not need to renew it".to_owned(),
        ),
        (
            OPENRC,
            &[service, executors, dhcpcd, own],
            format!("ifupdown uses the image's own stanza for eth0 (static), which may not keep {RENEWS}"),
        ),
        // udhcpc removes the address before it asks for one.
        (
            OPENRC,
            &[service, executors],
            format!(
                "networking of the image cannot take over {RENEWS}: it may request another address and remove this one"
            ),
        ),
    ] {
        let machine = boot(words, files);
        assert_eq!(step(&machine), done(&told));
        assert!(paths(&machine, "/sysroot/var/lib/dhcpcd").is_empty(), "{told}");
    }
}

/// The lease ends while the boot waits for another interface, and no server gives a new one.
#[test]
fn a_service_asks_anew_if_the_address_was_withdrawn() {
    let networking = (format!("{SYSTEMD}/networking.service"), "");
    let [networking, dhcpcd] = [(networking.0.as_str(), ""), ("/usr/sbin/dhcpcd", "")];
    let unit = format!("{SYSTEMD}/dhcpcd.service");
    let netifrc = format!("{RUNLEVEL}/net.eth0");
    for (init, files, told, written) in [
        (
            "",
            &[][..],
            "systemd-networkd, enabled by Dayfly, requests",
            ("/run/systemd/network/00-dayfly-525400123402.network", "\nDHCP=ipv4\nKeepConfiguration=dhcp\n"),
        ),
        (
            "",
            &[(NETWORK_MANAGER, "")],
            "NetworkManager requests",
            ("/run/NetworkManager/system-connections/dayfly-eth0.nmconnection", "\nmethod=auto\n"),
        ),
        (
            "",
            &[(unit.as_str(), "")],
            "dhcpcd requests",
            ("/sysroot/etc/dhcpcd.conf", "\ninterface eth0\nmetric 1024\nclientid\n"),
        ),
        (
            "",
            &[networking, ("/usr/lib/ifupdown/settle-dad.sh", ""), ("/usr/sbin/dhclient", "")],
            "ifupdown and dhclient request",
            ("/sysroot/etc/network/interfaces", "\niface dayfly inet dhcp\n"),
        ),
        (
            "",
            &[networking, ("/usr/libexec/ifupdown-ng/dhcp", ""), dhcpcd],
            "ifupdown and dhcpcd request",
            ("/sysroot/etc/network/interfaces", "\niface eth0 inet dhcp\n"),
        ),
        (
            OPENRC,
            &[(netifrc.as_str(), ""), dhcpcd],
            "netifrc and dhcpcd request",
            ("/sysroot/etc/conf.d/net", "\nconfig_eth0=\"dhcp\"\n"),
        ),
    ] {
        let machine = boot_on(&format!("{init} ip=eth0:dhcp ip=eth1:dhcp"), files, |state| {
            state.links.push(link(3, "eth1"));
            state.silent = vec![3];
            state.only_lease = Some(5);
        });
        let (outcome, words) = step(&machine);
        assert_eq!(outcome, "done", "{words}");
        let withdrawn = format!("{told} an address in place of the withdrawn 10.0.2.15/24");
        assert!(words.starts_with(&withdrawn), "{words}: {:#?}", machine.state().log);
        let text = machine.file(written.0).unwrap();
        assert!(text.contains(written.1), "{text}");
        assert_eq!(machine.report()["node"]["address"], serde_json::Value::Null);
        // No file of the OS has the address, and there is no lease.
        let state = machine.state();
        let of_os = state.nodes.iter().filter(|(path, _)| {
            ["/sysroot/etc", "/sysroot/var/lib", "/run/systemd", "/run/NetworkManager"]
                .iter()
                .any(|folder| path.starts_with(folder))
        });
        for (path, node) in of_os {
            let Node::File(bytes) = node else { continue };
            assert!(!String::from_utf8_lossy(bytes).contains("10.0.2.15"), "{}", path.display());
            assert!(!path.to_string_lossy().contains("lease"), "{}", path.display());
        }
    }
}

#[test]
fn netifrc_keeps_an_address_and_leaves_a_lease_to_dhcpcd() {
    const CONFIG: &str = "/etc/conf.d/net";
    let service = format!("{RUNLEVEL}/net.eth0");
    let (service, dhcpcd) = ((service.as_str(), ""), ("/sbin/dhcpcd", ""));
    let fixed = format!("{OPENRC} ip=10.0.2.50::10.0.2.2:24::eth0:none");
    for (words, files, outcome, told, config) in [
        (
            OPENRC,
            &[service, dhcpcd][..],
            "done",
            "netifrc and dhcpcd renew 10.0.2.15/24 (leased for 3600 s)",
            Some("config_eth0=\"dhcp\"\nmodules_eth0=\"dhcpcd\"\nmetric_eth0=\"1024\"\n"),
        ),
        (OPENRC, &[service], "tolerated", "the image has netifrc, but no dhcpcd to renew the lease", None),
        (
            &fixed,
            &[service, (CONFIG, "config_eth0=\"noop\"\n")],
            "done",
            "netifrc keeps 10.0.2.50/24",
            Some("config_eth0=\"noop\"\n"),
        ),
        (
            OPENRC,
            &[service, dhcpcd, (CONFIG, "config_eth0=\"10.0.2.9/24\"\n")],
            "done",
            "netifrc uses the image's own configuration of eth0 (10.0.2.9/24), which may not keep 10.0.2.15/24 (leased for 3600 s)",
            Some("overwrites changes.\n"),
        ),
    ] {
        let machine = boot(words, files);
        assert_eq!(step(&machine), (outcome.to_owned(), told.to_owned()));
        let found = machine.file("/sysroot/etc/conf.d/net");
        assert_eq!(found.is_some(), config.is_some());
        assert!(config.is_none_or(|end| found.as_deref().unwrap().ends_with(end)), "{found:?}");
    }
}

#[test]
fn cloud_init_does_not_configure_the_network_again() {
    const OURS: &str = "/sysroot/etc/cloud/cloud.cfg.d/99-dayfly-network.cfg";
    let has = ("/etc/cloud/cloud.cfg", "users:\n  - default\n");
    let own = ("/etc/cloud/cloud.cfg.d/10-net.cfg", "network:\n  version: 2\n");
    for (files, written) in [(&[][..], false), (&[has], true), (&[has, own], false)] {
        let machine = boot("", files);
        let found = machine.file(OURS);
        assert_eq!(
            found.is_some_and(|text| text.ends_with("\nnetwork: {config: disabled}\n")),
            written,
            "{files:?}"
        );
    }
    // Without a handover, the network is the image's.
    assert_eq!(boot("dayfly.network.handover=none", &[has]).file(OURS), None);
}

#[test]
fn a_service_that_is_required_must_be_enabled() {
    for (service, lack) in [
        ("networkmanager", "NetworkManager is not enabled in the image"),
        ("dhcpcd", "the service dhcpcd is not enabled in the image"),
        ("netifrc", "netifrc is not enabled for the interface in the image"),
    ] {
        let machine = boot(&format!("dayfly.network.handover={service}"), &[]);
        assert_eq!(step(&machine), ("tolerated".to_owned(), lack.to_owned()));
    }
}
