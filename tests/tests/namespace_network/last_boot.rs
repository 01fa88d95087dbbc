//! INIT-REBOOT with real servers, and a real state disk that remembers the address of the last boot.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dayfly_init::boot::Ended;
use serde_json::json;

use crate::boots::{Booted, GOOD, Network, booted, booted_on, booted_under};
use crate::hosts::Switch;
use crate::namespace::{apart, run, shell};
use crate::servers::kea4;

const NOTHING: Network = Network { dhcp: None, has_image: false, refuses: true };

/// An ext4 of 64 MiB behind a loop device.
struct Disk {
    folder: tempfile::TempDir,
    device: String,
}

impl Disk {
    /// A new disk, with the address of a last boot.
    fn new(address: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        if let Some(address) = address {
            fs::create_dir(tree.join(".dayfly")).unwrap();
            let text = format!("dayfly last-boot 1\nlease 02:00:00:00:00:01 - {address}\n");
            fs::write(tree.join(".dayfly/last-boot"), text).unwrap();
        }
        let image = folder.path().join("image");
        shell(&format!(
            "truncate -s 64M {0}; mkfs.ext4 -q -L state -d {1} {0}",
            image.display(),
            tree.display()
        ));
        Self::of(folder, &image)
    }

    fn of(folder: tempfile::TempDir, image: &Path) -> Self {
        let device = run("losetup", &["--find", "--show", image.to_str().unwrap()]).trim().to_owned();
        Self { folder, device }
    }

    /// A copy of it as after a shutdown of the OS. A boot that has returned still has the disk mounted, because threads of the boot
    /// keep its mount namespace.
    fn after_shutdown(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        // Status 1: the journal was replayed.
        shell(&format!(
            "sync; cp {}/image {1}; e2fsck -fy {1} > /dev/null 2>&1 || test $? = 1",
            self.folder.path().display(),
            image.display()
        ));
        Self::of(folder, &image)
    }

    /// The parameter that names it.
    fn word(&self) -> String {
        format!("dayfly.state.device={}", self.device)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // An error would hide that of the test.
        let _ = std::process::Command::new("losetup").args(["--detach", &self.device]).status();
    }
}

fn detail(booted: &Booted, step: &str) -> String {
    booted.attempts(step)[0]["detail"].as_str().unwrap().to_owned()
}

#[test]
fn the_second_boot_gets_the_same_address_with_one_request() {
    let disk = Disk::new(None);
    // va is up before the boot. Otherwise the server's end of the cable gets its carrier with va, and the kernel drops what the
    // server sends until it has noticed that (up to 1 s).
    let up = || drop(shell("ip link set va up"));
    let boot = |disk: &Disk| booted_under(&format!("ip=va:dhcp {}", disk.word()), [GOOD, NOTHING], up);
    let first = boot(&disk);
    first.assert_only("va", "vb");
    assert!(first.servers_log.contains("DHCPDISCOVER(lan)"), "{}", first.servers_log);
    let address = first.addresses_of("va")[0].clone();
    let address = address.strip_suffix("/24").unwrap();
    let lease = format!("02:00:00:00:00:01 - {address}");
    assert_eq!(detail(&first, "next-boot"), lease, "{}", first.log);

    let second = boot(&disk.after_shutdown());
    second.assert_only("va", "vb");
    assert_eq!(second.addresses_of("va"), first.addresses_of("va"));
    let log = &second.servers_log;
    assert!(log.contains(&format!("DHCPREQUEST(lan) {address} 02:00:00:00:00:01")), "{log}");
    assert!(log.contains(&format!("DHCPACK(lan) {address} ")), "{log}");
    assert!(!log.contains("DHCPDISCOVER") && !log.contains("DHCPNAK"), "{log}");
    assert_eq!(detail(&second, "last-boot"), lease);
    assert_eq!(detail(&second, "next-boot"), format!("as before: {lease}"));
}

#[test]
fn a_node_that_moved_is_denied_its_address_and_gets_another() {
    let disk = Disk::new(Some("192.168.7.9"));
    let moved = booted(&format!("ip=va:dhcp {}", disk.word()), [GOOD, NOTHING]);
    moved.assert_only("va", "vb");
    assert!(moved.addresses_of("va")[0].starts_with("10.9.1."), "{}", moved.addresses);
    let log = &moved.servers_log;
    let at = |words: &str| log.find(words).unwrap_or_else(|| panic!("no {words}\n{log}"));
    assert!(at("DHCPREQUEST(lan) 192.168.7.9 ") < at("DHCPNAK(lan) 192.168.7.9 "), "{log}");
    assert!(at("DHCPNAK(lan)") < at("DHCPDISCOVER(lan)"), "{log}");
}

/// The address of the last boot belongs to another host by now, and the lease of another address comes with the answer to the DISCOVER:
/// the other host does not make the node decline it.
#[test]
fn a_host_with_the_old_address_is_no_conflict_with_the_new_one() {
    let rapid: &[&str] = &["--dhcp-rapid-commit", "--dhcp-range=10.9.1.60,10.9.1.60,255.255.255.0,1h"];
    let disk = Disk::new(Some("10.9.1.1"));
    // 10.9.1.1 is the server's own address, for which it answers by ARP.
    let booted =
        booted(&format!("ip=va:dhcp {}", disk.word()), [Network { dhcp: Some(rapid), ..GOOD }, NOTHING]);
    booted.assert_only("va", "vb");
    assert_eq!(booted.addresses_of("va"), ["10.9.1.60/24"]);
    assert!(!booted.servers_log.contains("DHCPDECLINE"), "{}\n{}", booted.servers_log, booted.log);
    assert!(booted.servers_log.contains("DHCPNAK"), "{}", booted.servers_log);
}

/// Kea does not answer a client that it does not know, unless it is authoritative.
#[test]
fn a_server_that_does_not_know_the_node_is_asked_for_any_address() {
    let disk = Disk::new(Some("10.9.1.55"));
    let subnet = json!({
        "subnet": "10.9.1.0/24",
        "pools": [{ "pool": "10.9.1.70 - 10.9.1.79" }],
        "option-data": [{ "name": "routers", "data": "10.9.1.1" }],
    });
    let booted = booted_on(&format!("ip=va:dhcp rd.debug {}", disk.word()), |site| {
        let router = Switch::of_node(site, "va").host(site, "router", &["10.9.1.1/24"]);
        vec![kea4(&router, &subnet), router.nginx(&site.www)]
    });
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    assert_eq!(booted.addresses_of("va"), ["10.9.1.70/24"], "{}", booted.log);
    assert!(booted.log.contains("Offer {"), "{}", booted.log);
    assert!(!booted.log.contains("Nak("), "{}", booted.log);
}

/// A disk as a crash leaves it: its journal is not empty, and a removed file was still open. Reading it changes no byte.
#[test]
fn a_disk_that_was_not_unmounted_is_read_and_not_written_to() {
    let disk = Disk::new(Some("10.9.1.55"));
    let crashed = disk.folder.path().join("crashed");
    apart(|_, scratch| {
        shell(&format!(
            "cd {0}; mkdir disk; mount {1} disk; echo x > disk/open; exec 3<> disk/open; rm disk/open; echo y > disk/new; sync
             cp {2}/image {3}",
            scratch.display(),
            disk.device,
            disk.folder.path().display(),
            crashed.display()
        ));
    });
    let state = run("dumpe2fs", &["-h", crashed.to_str().unwrap()]);
    assert!(state.contains("needs_recovery") && state.contains("First orphan inode"), "{state}");
    let before = fs::read(&crashed).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    fs::copy(&crashed, &image).unwrap();
    let crashed = Disk::of(folder, &image);
    // Without a DHCP server, the boot ends before it mounts its state: the program that could create it is in the image.
    let words = format!("ip=va:dhcp rd.retry=3 dayfly.state.create=blank {}", crashed.word());
    let failed = booted(&words, [NOTHING, NOTHING]);
    assert_eq!(failed.ended, Ended::Failed, "{}", failed.log);
    assert_eq!(detail(&failed, "last-boot"), "02:00:00:00:00:01 - 10.9.1.55", "{}", failed.log);
    assert!(
        failed.log.contains("REQUEST for 10.9.1.55, the address of the last boot: no answer"),
        "{}",
        failed.log
    );
    run("sync", &[]);
    let after = fs::read(&image).unwrap();
    let first = before.iter().zip(&after).position(|(old, new)| old != new);
    assert_eq!((after.len(), first), (before.len(), None), "the first changed byte");
    assert!(failed.took < Duration::from_secs(30), "{:?}", failed.took);
}
