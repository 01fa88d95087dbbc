//! The node's name, on the fake machine: which names are accepted, and that the same name is used everywhere.

mod machine;

use std::path::Path;
use std::sync::Arc;

use dayfly_plan::Way;
use machine::configured::file;
use machine::{End, Machine, Node, State};

const IMAGE: &str = "root=live:http://10.0.2.2/os.squashfs ip=dhcp";
/// A settings file with a rule that matches on the host name.
const RULE: &str = "version = 1\n[[match]]\nwhen.hostname = \"NAME\"\nroot.size = \"5M\"\n";

fn boots(way: Way, cmdline: &str, prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let machine = match way {
        Way::Root => Machine::new_for(way, cmdline),
        _ => Machine::new(cmdline),
    };
    prepare(&mut machine.state());
    let end = machine.boot_by(way);
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{cmdline}: {:#?}", machine.state().log);
    machine
}

fn put(state: &mut State, path: &str, text: &str) {
    state.put(Path::new(path), Node::File(text.as_bytes().to_vec()));
}

/// Checks that the name is used everywhere, and that the log contains `words`.
fn is_called(machine: &Machine, name: &str, words: &str) {
    assert_eq!(file(machine, "/sysroot/etc/hostname"), format!("{name}\n"), "{words}");
    assert_eq!(machine.state().hostname.as_deref(), Some(name), "the kernel's: {words}");
    assert_eq!(machine.report()["node"]["hostname"], name, "{words}");
    let hosts = file(machine, "/sysroot/etc/hosts");
    assert!(hosts.contains(&format!(" {name}")), "{name} is not in {hosts}");
    let log = file(machine, "/run/dayfly/boot.log");
    assert!(log.contains(words), "{words:?} is not in {log}");
}

#[test]
fn a_name_of_the_network_is_one_that_a_node_can_have() {
    let by_mac = "node-525400123402";
    let long = format!("rack-7.{}.example.org", "b".repeat(50));
    for (given, name, words) in [
        (
            "Worker_7",
            "worker-7",
            "host name \"Worker_7\" contains \"_\", which is not allowed in a Node's name: worker-7 is used",
        ),
        (
            "localhost",
            by_mac,
            "host name \"localhost\" is the placeholder for a machine without a name, ignored",
        ),
        ("localhost.localdomain", by_mac, "for a machine without a name, ignored"),
        ("(none)", by_mac, "for a machine without a name, ignored"),
        ("10.0.2.15", by_mac, "host name \"10.0.2.15\" is an address, ignored"),
        ("no name", by_mac, "host name \"no name\" holds ' '"),
        (&long, "rack-7", "bytes, but a Node's name has at most 63: rack-7 is used"),
        ("WORKER7.Example.org", "worker7.example.org", "worker7.example.org"),
    ] {
        let machine = boots(Way::Initramfs, IMAGE, |state| state.dhcp_name = given.to_owned());
        is_called(&machine, name, words);
    }
}

#[test]
fn a_name_in_ip_is_taken_likewise_and_the_plan_says_so() {
    for (given, name, words) in [
        ("Worker_7", "worker-7", "not allowed in a Node's name: worker-7 is used."),
        (
            "localhost",
            "node-525400123402",
            "is the placeholder for a machine without a name; it is not used.",
        ),
    ] {
        let ip = format!("ip=10.0.2.50::10.0.2.2:24:{given}:eth0:none");
        let machine = boots(Way::Initramfs, &format!("root=live:http://10.0.2.2/os.squashfs {ip}"), |_| {});
        is_called(&machine, name, words);
    }
}

#[test]
fn rules_and_urls_see_the_name_that_the_node_gets() {
    let cmdline = format!("{IMAGE} dayfly.settings.url=http://10.0.2.2/${{hostname}}.toml");
    for (given, name) in [("Worker_7", "worker-7"), ("WORKER7", "worker7")] {
        let machine = boots(Way::Initramfs, &cmdline, |state| {
            state.dhcp_name = given.to_owned();
            state
                .pages
                .insert(format!("http://10.0.2.2/{name}.toml"), b"version = 1\nimage.stall = 21\n".to_vec());
            put(state, "/etc/dayfly.toml", &RULE.replace("NAME", name));
        });
        is_called(&machine, name, "");
        let report = machine.report();
        let rows = report["settings"].as_array().unwrap();
        let value = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap()["value"].clone();
        assert_eq!((value("root.size"), value("image.stall")), ("5242880".into(), "21".into()), "{given}");
    }
}

#[test]
fn an_installed_os_has_the_name_of_its_own_in_rules_too() {
    let cmdline = "root=UUID=a ro quiet init=/usr/lib/dayfly/init rd.neednet=1";
    for (text, name) in [
        ("installed\n", "installed"),
        ("# hostname(5)\n\nMy_Box\n", "my-box"),
        ("localhost\n", "worker7"),
        ("localhost.localdomain\n", "worker7"),
    ] {
        let machine = boots(Way::Root, cmdline, |state| {
            put(state, "/etc/hostname", text);
            put(state, "/etc/dayfly.toml", &RULE.replace("NAME", name));
        });
        assert_eq!(file(&machine, "/sysroot/etc/hostname"), format!("{name}\n"), "{text}");
        let report = machine.report();
        let rows = report["settings"].as_array().unwrap();
        let size = rows.iter().find(|row| row["name"] == "root.size").unwrap();
        assert_eq!(size["value"], "5242880", "{text}");
    }
}

#[test]
fn the_lines_that_the_image_has_in_hosts_stay() {
    let own = "127.0.0.1 localhost\n10.9.9.9 registry.lab registry\n";
    let machine = boots(Way::Initramfs, IMAGE, |state| put(state, "/run/dayfly/l/etc/hosts", own));
    let hosts = file(&machine, "/sysroot/etc/hosts");
    assert!(hosts.starts_with("10.0.2.15 worker7 # dayfly\n"), "{hosts}");
    assert!(hosts.ends_with(own), "{hosts}");
    assert_eq!(hosts.matches("127.0.0.1").count(), 1, "{hosts}");
}

#[test]
fn a_kubelet_is_told_the_name() {
    let cmdline = format!("{IMAGE} dayfly.kubelet.enabled=yes systemd.hostname=of-systemd");
    let machine = boots(Way::Initramfs, &cmdline, |_| {});
    is_called(&machine, "of-systemd", "systemd.hostname=");
    let unit = file(&machine, "/sysroot/etc/systemd/system/kubelet.service");
    assert!(unit.contains("--hostname-override=of-systemd"), "{unit}");
}
