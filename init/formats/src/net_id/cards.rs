//! Network cards in sysfs, and their names. The tests in namespaces compare the same cards with systemd's own program.

/// A card, its files below `/sys`, and its names in systemd: on board, by slot, by path, by address.
pub struct Card {
    /// A description.
    pub what: &'static str,
    /// Its directory below `/sys`.
    pub device: &'static str,
    /// Files besides those that every card has, below `/sys/devices`.
    pub files: &'static [(&'static str, &'static str)],
    /// `/sys/bus/pci/slots`.
    pub slots: &'static [(&'static str, &'static str)],
    /// Names. Empty if it has none.
    pub names: [&'static str; 4],
}

/// The MAC address of every card here.
pub const MAC: &str = "52:54:00:12:34:56";
const BY_MAC: &str = "enx525400123456";

/// All of them.
pub const CARDS: &[Card] = &[
    Card {
        what: "virtio on QEMU's q35: only a path",
        device: "/devices/pci0000:00/0000:00:02.0/virtio0/net/eth0",
        files: &[],
        slots: &[],
        names: ["", "", "enp0s2", BY_MAC],
    },
    Card {
        what: "virtio on QEMU's i440fx, as in Proxmox: a hotplug slot",
        device: "/devices/pci0000:00/0000:00:12.0/virtio3/net/eth0",
        files: &[],
        slots: &[("3", "0000:00:03"), ("18", "0000:00:12")],
        names: ["", "ens18", "enp0s18", BY_MAC],
    },
    Card {
        what: "the firmware's slot number",
        device: "/devices/pci0000:00/0000:00:05.0/net/eth0",
        files: &[("pci0000:00/0000:00:05.0/firmware_node/sun", "5")],
        slots: &[],
        names: ["", "ens5", "enp0s5", BY_MAC],
    },
    Card {
        what: "on board by ACPI, with another number in SMBIOS",
        device: "/devices/pci0000:00/0000:00:1f.6/net/eth0",
        files: &[("pci0000:00/0000:00:1f.6/acpi_index", "7"), ("pci0000:00/0000:00:1f.6/index", "1")],
        slots: &[],
        names: ["eno7", "", "enp0s31f6", BY_MAC],
    },
    Card {
        what: "on board by SMBIOS",
        device: "/devices/pci0000:00/0000:00:1c.0/0000:02:00.0/net/eth0",
        files: &[("pci0000:00/0000:00:1c.0/0000:02:00.0/index", "2")],
        slots: &[],
        names: ["eno2", "", "enp2s0", BY_MAC],
    },
    Card {
        what: "behind a root port, in a slot",
        device: "/devices/pci0000:00/0000:00:01.0/0000:01:00.0/net/eth0",
        files: &[],
        slots: &[("0", "0000:00:01"), ("4", "0000:01:00")],
        names: ["", "ens4", "enp1s0", BY_MAC],
    },
    Card {
        what: "behind a bridge in a slot: the number belongs to the bridge",
        device: "/devices/pci0000:00/0000:00:01.0/0000:01:00.0/net/eth0",
        files: &[
            ("pci0000:00/0000:00:01.0/class", "0x060400"),
            ("pci0000:00/0000:00:01.0/modalias", "pci:v00001B36d0000000Csv00001B36sd00000000bc06sc04i00"),
        ],
        slots: &[("6", "0000:00:01")],
        names: ["", "", "enp1s0", BY_MAC],
    },
    Card {
        what: "the second function, and a port that its driver names",
        device: "/devices/pci0000:00/0000:00:01.0/0000:65:00.1/net/eth0",
        files: &[("pci0000:00/0000:00:01.0/0000:65:00.1/net/eth0/phys_port_name", "p1")],
        slots: &[("2", "0000:65:00")],
        names: ["", "ens2f1np1", "enp101s0f1np1", BY_MAC],
    },
    Card {
        what: "the second port of one function",
        device: "/devices/pci0000:00/0000:00:01.0/0000:04:00.0/net/eth0",
        files: &[("pci0000:00/0000:00:01.0/0000:04:00.0/net/eth0/dev_port", "1")],
        slots: &[],
        names: ["", "", "enp4s0d1", BY_MAC],
    },
    Card {
        what: "a PCI domain",
        device: "/devices/pci0002:00/0002:00:00.0/0002:01:00.0/net/eth0",
        files: &[],
        slots: &[],
        names: ["", "", "enP2p1s0", BY_MAC],
    },
    Card {
        what: "a USB card",
        device: "/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/net/eth0",
        files: &[],
        slots: &[],
        names: ["", "", "enp0s20u2", BY_MAC],
    },
    Card {
        what: "a USB card behind two hubs, with another configuration and interface",
        device: "/devices/pci0000:00/0000:00:1d.7/usb1/1-1/1-1.4/1-1.4.3/1-1.4.3:2.1/net/eth0",
        files: &[],
        slots: &[],
        names: ["", "", "enp0s29f7u1u4u3c2i1", BY_MAC],
    },
    Card {
        what: "virtio over MMIO: only an address",
        device: "/devices/platform/virtio-mmio.0/virtio0/net/eth0",
        files: &[],
        slots: &[],
        names: ["", "", "", BY_MAC],
    },
    Card {
        what: "an address that the driver generated",
        device: "/devices/pci0000:00/0000:00:03.0/net/eth0",
        files: &[("pci0000:00/0000:00:03.0/net/eth0/addr_assign_type", "1")],
        slots: &[],
        names: ["", "", "enp0s3", ""],
    },
    Card {
        what: "a VLAN on another interface",
        device: "/devices/virtual/net/eth0",
        files: &[("virtual/net/eth0/iflink", "9")],
        slots: &[],
        names: ["", "", "", ""],
    },
    Card {
        what: "not Ethernet",
        device: "/devices/pci0000:00/0000:00:03.0/net/eth0",
        files: &[("pci0000:00/0000:00:03.0/net/eth0/type", "24")],
        slots: &[],
        names: ["", "", "", ""],
    },
];
