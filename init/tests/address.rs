//! The handover of the node's address to the OS, on the fake machine: which service of the image gets it, and how.

mod machine;

use std::path::Path;
use std::sync::Arc;

use machine::{End, Machine, Node, sha256, squashfs};

const ETC: &str = "/sysroot/etc/systemd/system";
const OURS: &str = "/run/systemd/network/00-dayfly-525400123402.network";

/// Boots to the end. The files are added to the image's /etc during the boot, the nodes to the machine before it.
fn boot(words: &str, files: &[(&str, &str)], nodes: &[(&str, Node)]) -> Arc<Machine> {
    let sha256 = sha256(&squashfs(3 << 20));
    let cmdline = format!("root=live:http://10.0.2.2/os.squashfs dayfly.image.sha256={sha256} {words}");
    let machine = Machine::new(&cmdline);
    let files = files.iter().map(|(path, content)| format!("[file.\"{path}\"]\ncontent = {content:?}\n"));
    let text: Vec<String> = std::iter::once("version = 1\n".to_owned()).chain(files).collect();
    machine.state().put(Path::new("/etc/dayfly.toml"), Node::File(text.concat().into_bytes()));
    for (path, node) in nodes {
        machine.state().put(Path::new(path), node.clone());
    }
    let end = machine.boot();
    assert!(matches!(end, End::Exec(_)), "{end:?}: {:?}", machine.state().log);
    machine
}

fn has(machine: &Machine, path: &str) -> bool {
    machine.state().nodes.contains_key(Path::new(path))
}

fn text(machine: &Machine, path: &str) -> String {
    match machine.state().nodes.get(Path::new(path)) {
        Some(Node::File(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{path} is {other:?}"),
    }
}

/// The step's outcome and message; `None` if the plan has no such step.
fn step(machine: &Machine) -> Option<(String, String)> {
    let report = machine.report();
    let row = report["steps"].as_array().unwrap().iter().find(|row| row["step"] == "address")?;
    let words = row["failure"]["wrong"].as_str().or(row["detail"].as_str()).unwrap();
    Some((row["outcome"].as_str().unwrap().to_owned(), words.to_owned()))
}

#[test]
fn networkd_is_started_where_nothing_else_is() {
    let machine = boot("ip=dhcp", &[], &[]);
    let (outcome, words) = step(&machine).unwrap();
    assert_eq!(outcome, "done");
    let expected = "systemd-networkd, enabled by Dayfly, renews 10.0.2.15/24 (leased for 3600 s) with 00-dayfly-525400123402.network";
    assert_eq!(words, expected);
    assert!(text(&machine, OURS).contains("\nMACAddress=52:54:00:12:34:02\n"));
    // The fake's kernel is 6.1, which cannot rename an interface that is up.
    assert!(has(&machine, &OURS.replace(".network", ".link")));
    for link in [
        "multi-user.target.wants/systemd-networkd.service",
        "network-online.target.wants/systemd-networkd-wait-online.service",
    ] {
        assert!(has(&machine, &format!("{ETC}/{link}")), "{link}");
    }
    // It would parse ip= again, for every interface.
    assert!(!has(&machine, &format!("{ETC}/sysinit.target.wants/systemd-network-generator.service")));
    assert!(text(&machine, "/run/systemd/networkd.conf.d/50-dayfly.conf").contains("ManageForeignRoutes=no"));
}

#[test]
fn a_networkd_that_the_image_starts_is_as_the_image_wants_it() {
    let started = [("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "")];
    let machine = boot("ip=10.0.2.50::10.0.2.2:24::eth0:none", &started, &[]);
    let words = "systemd-networkd keeps 10.0.2.50/24 with 00-dayfly-525400123402.network";
    assert_eq!(step(&machine), Some(("done".to_owned(), words.to_owned())));
    assert!(!has(&machine, "/run/systemd/networkd.conf.d/50-dayfly.conf"));

    let newer = [("/proc/sys/kernel/osrelease", Node::File(b"6.12.1\n".to_vec()))];
    let named =
        [started[0], ("/etc/systemd/network/10-card.network", "[Match]\nMACAddress=52:54:00:12:34:02\n")];
    let machine = boot("ip=dhcp dayfly.network.handover=networkd", &named, &newer);
    let words = "systemd-networkd uses the image's own 10-card.network";
    assert_eq!(step(&machine), Some(("done".to_owned(), words.to_owned())));
    assert!(!has(&machine, OURS) && !has(&machine, &OURS.replace(".network", ".link")));
}

/// The files of ifupdown and dhclient in Debian.
const DEBIAN: [&str; 2] = ["/usr/lib/ifupdown/settle-dad.sh", "/usr/sbin/dhclient"];
const SYSTEMD: (&str, &str) = ("", "/etc/systemd/system/multi-user.target.wants/networking.service");
const OPENRC: (&str, &str) = (" dayfly.init=/sbin/openrc-init", "/etc/runlevels/sysinit/networking");

/// Boots an image in which `networking` is enabled, with these files.
fn boot_networking(words: &str, (init, started): (&str, &str), files: &[(&str, &str)]) -> Arc<Machine> {
    let image = |path: &str, text: &str| (format!("/run/dayfly/l{path}"), Node::File(text.into()));
    let mut nodes = vec![image(started, ""), image("/sbin/openrc-init", "")];
    nodes.extend(files.iter().map(|(path, text)| image(path, text)));
    let nodes: Vec<_> = nodes.iter().map(|(path, node)| (path.as_str(), node.clone())).collect();
    boot(&format!("{words}{init}"), &[], &nodes)
}

#[test]
fn ifupdown_goes_on_with_the_lease() {
    const INTERFACES: &str = "/etc/network/interfaces";
    const CONFIG: &str = "/etc/dhcp/dhclient.conf";
    let [ifupdown, dhclient] = DEBIAN.map(|path| (path, ""));
    let image = "source /etc/network/interfaces.d/*\niface eth0 inet dhcp\n";
    for manager in [SYSTEMD, OPENRC] {
        let files = [ifupdown, dhclient, (INTERFACES, image), (CONFIG, "request routers;\n")];
        let machine = boot_networking("ip=dhcp", manager, &files);
        let words = "ifupdown and dhclient renew 10.0.2.15/24 (leased for 3600 s)";
        assert_eq!(step(&machine), Some(("done".to_owned(), words.to_owned())));
        assert!(!has(&machine, OURS));
        let interfaces = text(&machine, "/sysroot/etc/network/interfaces");
        assert!(interfaces.contains("\nauto mac/52:54:00:12:34:02/1=dayfly\n"), "{interfaces}");
        assert!(interfaces.ends_with(&format!("\n{image}")), "{interfaces}");
        let config = text(&machine, "/sysroot/etc/dhcp/dhclient.conf");
        assert!(config.starts_with("request routers;\n#"), "{config}");
        assert!(config.contains("\nsend dhcp-client-identifier = hardware;\n"), "{config}");
        let lease = text(&machine, "/sysroot/var/lib/dhcp/dhclient.eth0.leases");
        assert!(lease.contains("  fixed-address 10.0.2.15;\n"), "{lease}");
        assert!(has(&machine, "/sysroot/etc/dhcp/dhclient-enter-hooks.d/dayfly"));

        // A persistent /etc has the files already.
        let files = [ifupdown, dhclient, (INTERFACES, interfaces.as_str()), (CONFIG, config.as_str())];
        let again = boot_networking("ip=dhcp", manager, &files);
        assert_eq!(text(&again, "/sysroot/etc/network/interfaces"), interfaces);
        assert_eq!(text(&again, "/sysroot/etc/dhcp/dhclient.conf"), config);
    }
}

#[test]
fn ifupdown_is_left_alone_where_it_has_nothing_to_renew() {
    let [ifupdown, dhclient] = DEBIAN.map(|path| (path, ""));
    let own = ("/etc/network/interfaces.d/card", "iface eth0 inet static\n");
    let fixed = "ip=10.0.2.50::10.0.2.2:24::eth0:none";
    for (words, manager, files, outcome, told) in [
        (
            "ip=dhcp",
            OPENRC,
            &[ifupdown, dhclient, own][..],
            "done",
            "ifupdown uses the image's own stanza for eth0 (static), which may not keep 10.0.2.15/24 (leased for 3600 s)",
        ),
        (
            fixed,
            OPENRC,
            &[ifupdown, dhclient],
            "done",
            "10.0.2.50/24 stays: ifupdown does not need to renew it",
        ),
        (
            "ip=dhcp",
            OPENRC,
            &[ifupdown],
            "tolerated",
            "the image has ifupdown, but no dhclient or dhcpcd to renew 10.0.2.15/24 (leased for 3600 s)",
        ),
        // The ifupdown of busybox, or ifupdown2.
        (
            "ip=dhcp",
            OPENRC,
            &[dhclient],
            "done",
            "networking of the image cannot take over 10.0.2.15/24 (leased for 3600 s): it may request another address \
             and remove this one",
        ),
        (
            "ip=dhcp",
            ("", OPENRC.1),
            &[ifupdown],
            "done",
            "systemd-networkd, enabled by Dayfly, renews 10.0.2.15/24 (leased for 3600 s) with 00-dayfly-525400123402.network",
        ),
    ] {
        let machine = boot_networking(words, manager, files);
        assert_eq!(step(&machine), Some((outcome.to_owned(), told.to_owned())));
        assert!(!has(&machine, "/sysroot/etc/network/interfaces"), "{told}");
    }
}

#[test]
fn a_stanza_for_the_name_that_the_card_gets_in_the_os_is_the_images_own() {
    let device = "/sys/devices/pci0000:00/0000:00:12.0/virtio3/net/eth0";
    let file = |path: String, text: &str| (path, Node::File(text.into()));
    let mut nodes = vec![
        ("/sys/class/net/eth0".to_owned(), Node::Symlink(device.into())),
        file(format!("{device}/type"), "1\n"),
        file("/sys/bus/pci/slots/18/address".to_owned(), "0000:00:12\n"),
        file(format!("/run/dayfly/l{}", SYSTEMD.1), ""),
        file("/run/dayfly/l/etc/network/interfaces".to_owned(), "auto ens18\niface ens18 inet static\n"),
    ];
    nodes.extend(DEBIAN.map(|path| file(format!("/run/dayfly/l{path}"), "")));
    let nodes: Vec<_> = nodes.iter().map(|(path, node)| (path.as_str(), node.clone())).collect();
    let machine = boot("ip=ens18:dhcp", &[], &nodes);
    let (_, words) = step(&machine).unwrap();
    assert!(words.contains("ifupdown uses the image's own stanza for eth0 (static)"), "{words}");
}

#[test]
fn where_nobody_can_take_it_that_is_said() {
    let foreign = [("/etc/systemd/system/multi-user.target.wants/connman.service", "")];
    let told = "connman of the image cannot take over 10.0.2.15/24 (leased for 3600 s): it may request another \
                address and remove this one";
    for (words, files, outcome) in [
        ("ip=dhcp dayfly.network.handover=none", &[][..], None),
        ("ip=dhcp", &foreign[..], Some(("done", told))),
        (
            "ip=dhcp dayfly.network.handover=ifupdown",
            &[],
            Some((
                "tolerated",
                "neither Debian's ifupdown nor ifupdown-ng with dhcpcd is enabled in the image",
            )),
        ),
    ] {
        let machine = boot(words, files, &[]);
        assert_eq!(step(&machine), outcome.map(|(one, two)| (one.to_owned(), two.to_owned())), "{words}");
        assert!(!has(&machine, OURS));
    }
}
