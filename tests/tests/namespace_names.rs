//! Compares the names of network interfaces with systemd's: `udevadm test-builtin net_id` over the same sysfs, which both see in a
//! mount namespace.

mod namespace;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use dayfly_formats::net_id;
use namespace::{apart, run};

#[path = "../../init/formats/src/net_id/cards.rs"]
mod cards;
use cards::{CARDS, Card, MAC};

/// Mounts a /sys with this card and no other device.
fn show(card: &Card, scratch: &Path) {
    let put = |path: PathBuf, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
    };
    let device = scratch.join(card.device.trim_start_matches('/'));
    for (name, text) in [
        ("type", "1"),
        ("ifindex", "2"),
        ("iflink", "2"),
        ("addr_assign_type", "0"),
        ("dev_port", "0"),
        ("address", MAC),
        ("uevent", "INTERFACE=eth0\nIFINDEX=2"),
    ] {
        put(device.join(name), text);
    }
    for (name, text) in card.files {
        put(scratch.join("devices").join(name), text);
    }
    for (name, address) in card.slots {
        put(scratch.join("bus/pci/slots").join(name).join("address"), address);
    }
    // The device itself, and everything above it, has a subsystem.
    let mut above = device.parent().unwrap().parent().unwrap().to_owned();
    while above != scratch.join("devices") {
        let name = above.file_name().unwrap().to_str().unwrap().to_owned();
        let (subsystem, devtype) = match &*name {
            name if name.starts_with("virtio") && !name.contains("mmio") => (Some("virtio"), None),
            name if name.contains(':') && name.contains('-') => (Some("usb"), Some("usb_interface")),
            name if name.starts_with("usb") || name.contains('-') && !name.contains("mmio") => {
                (Some("usb"), Some("usb_device"))
            }
            name if name.matches(':').count() == 2 => (Some("pci"), None),
            name if name.contains("mmio") => (Some("platform"), None),
            _ => (None, None),
        };
        if let Some(subsystem) = subsystem {
            fs::create_dir_all(scratch.join("bus").join(subsystem).join("devices")).unwrap();
            symlink(Path::new("/sys/bus").join(subsystem), above.join("subsystem")).unwrap();
            let devtype = devtype.map(|devtype| format!("DEVTYPE={devtype}")).unwrap_or_default();
            put(above.join("uevent"), &devtype);
        }
        above.pop();
    }
    fs::create_dir_all(scratch.join("class/net")).unwrap();
    symlink("/sys/class/net", device.join("subsystem")).unwrap();
    symlink(Path::new("/sys").join(card.device.trim_start_matches('/')), scratch.join("class/net/eth0"))
        .unwrap();
    run("mount", &["--bind", scratch.to_str().unwrap(), "/sys"]);
}

#[test]
fn cards_are_called_what_udev_calls_them() {
    for card in CARDS {
        let (theirs, ours) = apart(|_, scratch| {
            show(card, scratch);
            let output = Command::new("udevadm")
                .args(["test-builtin", "net_id", "/sys/class/net/eth0"])
                // udevadm requires a real sysfs, which has this machine's cards only.
                .env("SYSTEMD_DEVICE_VERIFY_SYSFS", "0")
                .output()
                .expect("udevadm is installed");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let theirs: BTreeMap<String, String> = text
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            let slots: Vec<(String, String)> = fs::read_dir("/sys/bus/pci/slots")
                .into_iter()
                .flatten()
                .map(|entry| {
                    let path = entry.unwrap().path();
                    let address = fs::read_to_string(path.join("address")).unwrap().trim().to_owned();
                    (path.file_name().unwrap().to_str().unwrap().to_owned(), address)
                })
                .collect();
            let device = fs::canonicalize("/sys/class/net/eth0").unwrap();
            let ours = net_id::names(device.to_str().unwrap(), &|path| fs::read(path).ok(), &slots);
            (theirs, ours)
        });
        // Debian 12 has `v252`; since 257, the firmware's number of a slot counts. A card without names has no scheme.
        let scheme = theirs.get("ID_NET_NAMING_SCHEME").map_or("v0", String::as_str);
        let scheme: u32 = scheme.trim_start_matches('v').parse().unwrap_or(u32::MAX);
        let by_firmware = ours.firmware_slot.as_ref().or(ours.slot.as_ref());
        let theirs_slot = if scheme < 257 { ours.slot.as_ref() } else { by_firmware };
        assert_eq!(theirs_slot, theirs.get("ID_NET_NAME_SLOT"), "{}", card.what);
        assert_eq!(by_firmware.map_or("", String::as_str), card.names[1], "{}", card.what);
        for (key, own, written) in [
            ("ID_NET_NAME_ONBOARD", &ours.onboard, card.names[0]),
            ("ID_NET_NAME_PATH", &ours.path, card.names[2]),
            ("ID_NET_NAME_MAC", &ours.mac, card.names[3]),
        ] {
            assert_eq!(own.as_ref(), theirs.get(key), "{}: {key}", card.what);
            assert_eq!(own.as_deref().unwrap_or_default(), written, "{}: {key}", card.what);
        }
    }
}
