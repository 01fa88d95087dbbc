//! Which modules each profile asks for. Names that a kernel does not have, or has built in, are fine: kernels differ.

use clap::ValueEnum;

/// A set of modules by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Virtual machines with virtio devices: QEMU/KVM, Proxmox, OpenStack; the smallest and quickest image
    Virtio,
    /// Servers and clouds: virtio and the common network, storage and USB drivers
    Generic,
}

impl Profile {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Generic => "generic",
        }
    }

    /// The modules by name, with their purpose as a comment in the table below.
    pub fn modules(self) -> Vec<&'static str> {
        let groups: &[&[&str]] = match self {
            Self::Virtio => &[BASE, LINK_LAYERS, VIRTIO],
            Self::Generic => &[BASE, LINK_LAYERS, VIRTIO, NETWORK, STORAGE, FILE_SYSTEMS, INPUT_AND_USB],
        };
        groups.iter().flat_map(|group| group.iter().copied()).collect()
    }
}

/// The modules that the boot needs on any hardware.
const BASE: &[&str] = &[
    "loop",     // the image in RAM becomes a block device
    "squashfs", // the two image formats
    "erofs",
    "overlay",   // the root
    "ext4",      // a state partition
    "vfat",      // a settings disk or an ESP
    "nls_cp437", // its file names, in the kernel's default character set
    "nls_ascii",
    "nls_iso8859_1",
    "isofs",     // a settings CD, as clouds attach it
    "af_packet", // DHCP
    "ipv6",
    "efivarfs",
];

/// What makes links of other links.
const LINK_LAYERS: &[&str] = &["bonding", "8021q", "bridge"];

const VIRTIO: &[&str] = &[
    "virtio_pci",
    "virtio_mmio",
    "virtio_net",
    "virtio_blk",
    "virtio_scsi",
    "sd_mod",
    "sr_mod",
    "virtio_console",
    "qemu_fw_cfg", // credentials of the host
];

const NETWORK: &[&str] = &[
    // Intel
    "e1000",
    "e1000e",
    "igb",
    "igc",
    "ixgbe",
    "ixgbevf",
    "i40e",
    "iavf",
    "ice",
    // Broadcom
    "tg3",
    "bnx2",
    "bnx2x",
    "bnxt_en",
    // NVIDIA (Mellanox)
    "mlx4_core",
    "mlx4_en",
    "mlx5_core",
    // Realtek, Aquantia, Marvell, Chelsio, Solarflare, Cisco, Emulex, QLogic, AMD, Pensando
    "r8169",
    "8139cp",
    "8139too",
    "atlantic",
    "sky2",
    "cxgb4",
    "cxgb4vf",
    "sfc",
    "enic",
    "be2net",
    "qede",
    "amd_xgbe",
    "ionic",
    // clouds and hypervisors
    "ena",
    "gve",
    "hv_netvsc",
    "pci_hyperv",
    "vmxnet3",
    "xen_netfront",
    "mana",
    // USB adapters
    "r8152",
    "ax88179_178a",
    "cdc_ether",
    "cdc_ncm",
    "rndis_host",
];

const STORAGE: &[&str] = &[
    "nvme",
    "ahci",
    "ata_piix",
    "ata_generic",
    "mpt3sas",
    "mptspi",
    "mptsas",
    "megaraid_sas",
    "smartpqi",
    "hpsa",
    "aacraid",
    "isci",
    "mvsas",
    "vmw_pvscsi",
    "hv_storvsc",
    "xen_blkfront",
    "usb_storage",
    "uas",
    "sdhci_pci",
    "sdhci_acpi",
    "mmc_block",
    "vmd",
    "dm_mod",
    "dm_crypt",
    "dm_verity",
    "raid1",
];

const FILE_SYSTEMS: &[&str] = &["xfs", "btrfs", "f2fs", "exfat"];

const INPUT_AND_USB: &[&str] = &[
    "xhci_pci",
    "ehci_pci",
    "ohci_pci",
    "uhci_hcd",
    "usbhid", // a keyboard for the rescue shell
    "hid_generic",
    "atkbd",
    "i8042",
    "hyperv_keyboard",
    "xen_kbdfront",
    "hv_utils",
    "xen_pcifront",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_the_kernel_does_and_stand_once() {
        for profile in Profile::value_variants() {
            let modules = profile.modules();
            for (i, name) in modules.iter().enumerate() {
                assert!(!name.contains('-'), "{name}: write it with underscores");
                assert!(!modules[..i].contains(name), "{name} is listed twice in {}", profile.name());
            }
        }
        assert!(Profile::Virtio.modules().iter().all(|name| Profile::Generic.modules().contains(name)));
    }
}
