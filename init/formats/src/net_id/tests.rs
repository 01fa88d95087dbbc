use super::*;

#[path = "cards.rs"]
mod cards;
use cards::{CARDS, Card, MAC};

fn names_of(card: &Card) -> Names {
    let device = format!("/sys{}", card.device);
    let read = |path: &str| {
        let own = path.strip_prefix("/sys/devices/")?;
        if let Some((_, text)) = card.files.iter().find(|(name, _)| *name == own) {
            return Some(format!("{text}\n").into_bytes());
        }
        let text = match path.strip_prefix(&device)? {
            "/type" => "1",
            "/ifindex" | "/iflink" => "2",
            "/addr_assign_type" | "/dev_port" => "0",
            "/address" => MAC,
            _ => return None,
        };
        Some(format!("{text}\n").into_bytes())
    };
    let slots: Vec<(String, String)> =
        card.slots.iter().map(|(name, address)| ((*name).to_owned(), (*address).to_owned())).collect();
    names(&device, &read, &slots)
}

#[test]
fn cards_are_called_what_systemd_calls_them() {
    for card in CARDS {
        let names = names_of(card);
        let slot = names.firmware_slot.as_ref().or(names.slot.as_ref());
        let found = [names.onboard.as_ref(), slot, names.path.as_ref(), names.mac.as_ref()]
            .map(|name| name.map_or("", String::as_str));
        assert_eq!(found, card.names, "{}", card.what);
    }
}

#[test]
fn the_likeliest_name_is_the_first() {
    let first = |what: &str| {
        let card = CARDS.iter().find(|card| card.what.starts_with(what)).unwrap();
        names_of(card).all().first().map(ToString::to_string).unwrap()
    };
    assert_eq!(first("on board by ACPI"), "eno7");
    assert_eq!(first("virtio on QEMU's i440fx"), "ens18");
    assert_eq!(first("virtio on QEMU's q35"), "enp0s2");
    // Debian's 73-usb-net-by-mac.link.
    assert_eq!(first("a USB card"), "enx525400123456");
    // Too long for the kernel: only the name by MAC address remains.
    let long = CARDS.iter().find(|card| card.what.starts_with("a USB card behind")).unwrap();
    assert_eq!(names_of(long).all(), ["enx525400123456"]);
}

#[test]
fn a_name_that_no_interface_can_have_is_passed_over() {
    const BY_MAC: &str = "enx525400123456";
    let device = "/sys/devices/pci0000:00/0000:00:03.0/net/eth0";
    let named = |port: &str| {
        let read = |path: &str| match path.strip_prefix(device)? {
            "/type" => Some(b"1\n".to_vec()),
            "/addr_assign_type" => Some(b"0\n".to_vec()),
            "/address" => Some(MAC.as_bytes().to_vec()),
            "/phys_port_name" => Some(port.as_bytes().to_vec()),
            _ => None,
        };
        names(device, &read, &[]).all().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (port, expected) in [
        ("p1\n", &["enp0s3np1", BY_MAC][..]),
        ("  \n", &["enp0s3", BY_MAC]),
        ("p12345678\n", &[BY_MAC]),
        ("p1234567\n", &["enp0s3np1234567", BY_MAC]),
        ("../etc", &[BY_MAC]),
        ("a:1", &[BY_MAC]),
        ("%d", &[BY_MAC]),
        ("p 1", &[BY_MAC]),
        ("\u{1b}[2J", &[BY_MAC]),
        ("é", &[BY_MAC]),
    ] {
        assert_eq!(named(port), expected, "{port:?}");
    }
}

#[test]
fn a_device_tree_and_xen_have_names_of_their_own() {
    let base = |path: &str, device: &str| {
        let text = match path.strip_prefix(device)? {
            "/type" => "1",
            _ => return None,
        };
        Some(text.as_bytes().to_vec())
    };
    let device = "/sys/devices/platform/soc/30be0000.ethernet/net/eth0";
    let read = |path: &str| match path {
        "/sys/devices/platform/soc/30be0000.ethernet/uevent" => {
            Some(b"DRIVER=fec\nOF_ALIAS_0=ethernet1\n".to_vec())
        }
        path => base(path, device),
    };
    assert_eq!(names(device, &read, &[]).all(), ["end1"]);
    let device = "/sys/devices/vif-0/net/eth0";
    assert_eq!(names(device, &|path| base(path, device), &[]).all(), ["enX0"]);
}

#[test]
fn the_first_of_many_functions_has_its_number() {
    let device = "/sys/devices/pci0000:00/0000:65:00.0/net/eth0";
    let named = |header: u8, ari: &str| {
        let read = |path: &str| match path.rsplit('/').next()? {
            "type" => Some(b"1\n".to_vec()),
            "config" => Some([vec![0; 14], vec![header; 50]].concat()),
            "ari_enabled" => Some(ari.as_bytes().to_vec()),
            _ => None,
        };
        names(&device.replace("00.0", "02.0"), &read, &[]).path.unwrap()
    };
    assert_eq!(named(0x00, "0"), "enp101s2");
    assert_eq!(named(0x80, "0"), "enp101s2f0");
    assert_eq!(named(0x00, "1"), "enp101s2f16");
}

#[test]
fn any_place_has_names_or_none() {
    for device in [
        "",
        "/",
        "/net/",
        "/sys/devices/:::/net/x",
        "/sys/devices/virtio/net/x",
        "/a-b:c.d/net/x",
        "/é-1:1.0/net/é",
    ] {
        let read = |_: &str| Some(b"1".to_vec());
        names(device, &read, &[(String::new(), String::new())]);
        names(device, &|_| None, &[]);
    }
}
