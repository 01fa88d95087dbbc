//! What the node remembers of its last boot, on the fake machine: the DHCP server is asked for the same address again, and no
//! content of the state disk prevents or delays the boot.

mod machine;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dayfly_init::trees::{LAST_BOOT, STATE};
use dayfly_sys::Cause;
use machine::configured::{file, good, step};
use machine::{End, Fault, Machine, Node, State};

const FILE: &str = ".dayfly/last-boot";
const RECORD: &str = "dayfly last-boot 1\nlease 52:54:00:12:34:02 - 10.0.2.15\n";
const SEARCH: [&str; 2] = ["DISCOVER", "REQUEST 10.0.2.15"];

fn early() -> PathBuf {
    Path::new(LAST_BOOT.root()).join(FILE)
}

fn late() -> PathBuf {
    Path::new(STATE.root()).join(FILE)
}

/// Boots a node whose state disk has this file. The fake shows a disk separately at each place where it is mounted.
fn booted(node: Node, prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    good("", "", |state| {
        state.attach_ext4("vdb", "state");
        state.put(&early(), node.clone());
        state.put(&late(), node);
        prepare(state);
    })
}

fn remembered(text: &str) -> Node {
    Node::File(text.as_bytes().to_vec())
}

fn heard(machine: &Machine) -> Vec<String> {
    machine.state().dhcp_heard.clone()
}

fn told(machine: &Machine, words: &str) -> bool {
    machine.state().log.iter().any(|(_, line)| line.contains(words))
}

#[test]
fn the_lease_of_a_boot_is_kept_on_the_state_disk() {
    let machine = good("", "", |state| state.attach_ext4("vdb", "state"));
    assert_eq!(heard(&machine), SEARCH);
    assert_eq!(step(&machine, "last-boot").1, "nothing of the last boot on /dev/vdb");
    assert_eq!(step(&machine, "next-boot").1, "52:54:00:12:34:02 - 10.0.2.15");
    assert_eq!(file(&machine, late().to_str().unwrap()), RECORD);
    let state = machine.state();
    assert_eq!(state.modes.get(&late()), Some(&0o600));
    assert_eq!(state.modes.get(late().parent().unwrap()), Some(&0o700));
}

#[test]
fn the_address_of_the_last_boot_is_requested_at_once() {
    let machine = booted(remembered(RECORD), |_| {});
    assert_eq!(heard(&machine), ["REQUEST 10.0.2.15"]);
    assert_eq!(machine.report()["node"]["address"], "10.0.2.15");
    assert_eq!(step(&machine, "next-boot").1, "as before: 52:54:00:12:34:02 - 10.0.2.15");
    let state = machine.state();
    let wrote = state.calls.iter().any(|call| call.starts_with("write ") && call.contains(FILE));
    assert!(!wrote, "an unchanged file is not written again");
    // The disk is mounted read-only for a moment, before the network comes up.
    let place = LAST_BOOT.root();
    let mounts: Vec<&String> = state.mounts.iter().filter(|mount| mount.ends_with(place)).collect();
    assert_eq!(mounts, [&format!("ext4 {place}"), &format!("unmount {place}")]);
    assert!(!state.nodes.contains_key(Path::new(place)));
    let at = |call: &str| state.calls.iter().position(|other| other == call).unwrap();
    assert!(at(&format!("mount unmount {place}")) < at("packet_port 2"));
}

#[test]
fn a_server_of_another_network_denies_the_address_and_gives_its_own() {
    let plain = booted(remembered("dayfly last-boot 1\n"), |_| {});
    assert_eq!(heard(&plain), SEARCH);
    let machine = booted(remembered(&RECORD.replace("10.0.2.15", "192.168.7.9")), |_| {});
    assert_eq!(heard(&machine), ["REQUEST 192.168.7.9", "DISCOVER", "REQUEST 10.0.2.15"]);
    assert_eq!(machine.report()["node"]["address"], "10.0.2.15");
    assert_eq!(machine.took(), plain.took(), "a NAK costs no wait");
    assert_eq!(file(&machine, late().to_str().unwrap()), RECORD, "the new address replaces the old one");
}

#[test]
fn a_server_without_memory_costs_a_second() {
    let plain = booted(remembered("dayfly last-boot 1\n"), |_| {});
    let machine = booted(remembered(RECORD), |state| state.dhcp_forgets = true);
    assert_eq!(heard(&machine), ["REQUEST 10.0.2.15", "DISCOVER", "REQUEST 10.0.2.15"]);
    let more = machine.took().saturating_sub(plain.took());
    assert!((1000..1100).contains(&more.as_millis()), "{more:?}");
}

#[test]
fn a_lease_is_that_of_its_interface() {
    for other in ["52:54:00:12:34:03 - 10.0.2.15", "52:54:00:12:34:02 vlan5 10.0.2.15"] {
        let machine = booted(remembered(&format!("dayfly last-boot 1\nlease {other}\n")), |_| {});
        assert_eq!(heard(&machine), SEARCH, "{other}");
    }
    // A VLAN has the MAC address of its parent. The fake's server gives it 10.0.2.16.
    let record = "dayfly last-boot 1\nlease 52:54:00:12:34:02 vlan5 10.0.2.16\n";
    let boot = |node: Option<Node>| {
        good("", "vlan=vlan5:eth0 ip=vlan5:dhcp ip=eth0:dhcp", |state| {
            state.attach_ext4("vdb", "state");
            if let Some(node) = node {
                state.put(&early(), node);
            }
        })
    };
    let machine = boot(None);
    let kept = file(&machine, late().to_str().unwrap());
    let mut lines: Vec<&str> = kept.lines().collect();
    lines.sort_unstable();
    let expected = ["dayfly last-boot 1", "lease 52:54:00:12:34:02 - 10.0.2.15"];
    assert_eq!(lines, [expected[0], expected[1], record.lines().last().unwrap()]);
    let machine = boot(Some(remembered(record)));
    let mut heard = heard(&machine);
    heard.sort_unstable();
    assert_eq!(heard, ["DISCOVER", "REQUEST 10.0.2.15", "REQUEST 10.0.2.16"]);
}

#[test]
fn a_file_of_another_hand_is_not_used() {
    let link = Node::Symlink(PathBuf::from("/proc/cmdline"));
    let large = Node::File([RECORD.as_bytes(), &vec![b'\n'; 1 << 20]].concat());
    for (node, why) in [
        (remembered("\0\u{1b}[2J"), "it does not start with the line \"dayfly last-boot 1\""),
        (
            remembered("dayfly last-boot 1\nlease x - 10.0.2.15\n"),
            "line 2 has no MAC address of an interface",
        ),
        (remembered(RECORD.trim_end()), "line 2 is incomplete"),
        (link, ".dayfly/last-boot is not a regular file"),
        (Node::Dir, ".dayfly/last-boot is not a regular file"),
        (Node::Block, ".dayfly/last-boot is not a regular file"),
        (large, ".dayfly/last-boot has 1048631 bytes; expected at most 4096"),
    ] {
        let machine = booted(node, |_| {});
        let (outcome, words) = step(&machine, "last-boot");
        assert_eq!(outcome, "tolerated", "{why}");
        assert!(words.contains(why), "{words}");
        assert!(told(&machine, "[state.record]"));
        assert_eq!(heard(&machine), SEARCH, "{why}");
        assert!(!machine.state().is_mounted(Path::new(LAST_BOOT.root())), "{why}");
        assert_eq!(file(&machine, late().to_str().unwrap()), RECORD, "{why}: it is replaced");
        assert_eq!(file(&machine, "/proc/cmdline").lines().count(), 1);
    }
}

#[test]
fn a_folder_that_is_a_link_is_not_followed() {
    let machine = good("", "", |state| {
        state.attach_ext4("vdb", "state");
        state.put(Path::new("/run/elsewhere/last-boot"), remembered(RECORD));
        for file in [early(), late()] {
            state.put(file.parent().unwrap(), Node::Symlink(PathBuf::from("/run/elsewhere")));
        }
    });
    assert_eq!(heard(&machine), SEARCH);
    assert_eq!(
        (step(&machine, "last-boot").0, step(&machine, "next-boot").0),
        ("tolerated".into(), "tolerated".into())
    );
    assert_eq!(file(&machine, "/run/elsewhere/last-boot"), RECORD);
}

#[test]
fn a_disk_that_fails_does_not_delay_the_network() {
    const EIO: i32 = 5;
    const EBUSY: i32 = 16;
    let plain = booted(remembered("dayfly last-boot 1\n"), |_| {});
    let place = LAST_BOOT.root();
    for (call, errno, outcome) in [
        ("attach_loop image".to_owned(), EBUSY, "tolerated"),
        (format!("mount ext4 {place}"), EIO, "tolerated"),
        (format!("read {place}/{FILE}"), EIO, "tolerated"),
        // It is detached then.
        (format!("mount unmount {place}"), EBUSY, "done"),
    ] {
        let machine = booted(remembered(RECORD), |state| {
            state.fault = Some(Fault { call: call.clone(), cause: Cause::Errno(errno), times: 1 });
        });
        assert_eq!(step(&machine, "last-boot").0, outcome, "{call}");
        let expected: &[&str] = if outcome == "done" { &SEARCH[1..] } else { &SEARCH };
        assert_eq!(heard(&machine), expected, "{call}");
        assert!(machine.took() <= plain.took() + Duration::from_millis(20), "{call}");
        assert!(!machine.state().is_mounted(Path::new(place)), "{call}");
    }
}

#[test]
fn a_disk_that_cannot_be_written_keeps_the_old_address() {
    const EROFS: i32 = 30;
    let machine = booted(remembered(&RECORD.replace(".15", ".99")), |state| {
        let call = format!("write {}", late().display());
        state.fault = Some(Fault { call, cause: Cause::Errno(EROFS), times: 9 });
    });
    let (outcome, words) = step(&machine, "next-boot");
    assert_eq!(outcome, "tolerated");
    assert!(words.contains("Read-only file system"), "{words}");
    assert!(file(&machine, late().to_str().unwrap()).contains("10.0.2.99"));
}

#[test]
fn without_a_lease_the_file_stays() {
    let fixed = "ip=10.0.2.50::10.0.2.2:24::eth0:none";
    let machine = Machine::new(&format!("root=live:http://10.0.2.2/os.squashfs {fixed}"));
    machine.state().attach_ext4("vdb", "state");
    machine.state().put(&late(), remembered(RECORD));
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()));
    let report = machine.report();
    let has = |name: &str| report["steps"].as_array().unwrap().iter().any(|row| row["step"] == name);
    assert!(!has("last-boot") && !has("next-boot"));
    assert_eq!(file(&machine, late().to_str().unwrap()), RECORD);
}
