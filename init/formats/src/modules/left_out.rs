//! Aliases of modules that were left out of an image, so that the boot can report a device without a driver with the
//! name of the missing module.
//!
//! The text is used in its stored form. It is a sequence of groups, each `<key length`, a line break, and `length`
//! bytes of `rest module` lines. Key and rest together are the pattern, and the key contains no special character.
//! Reading it visits a few hundred group headers. A lookup compares the keys and reads one or two groups.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;

use super::glob;

/// Directories of modules that a node may need to reach its image. For anything else (graphics, sound, sensors,
/// wireless …) the running system loads drivers from its own tree after the handover.
const BOOT_FOLDERS: &[&str] = &[
    "kernel/drivers/ata/",
    "kernel/drivers/block/",
    "kernel/drivers/firmware/",
    "kernel/drivers/hv/",
    "kernel/drivers/infiniband/hw/",
    "kernel/drivers/md/",
    "kernel/drivers/message/",
    "kernel/drivers/mmc/",
    "kernel/drivers/net/",
    "kernel/drivers/nvme/",
    "kernel/drivers/pci/",
    "kernel/drivers/scsi/",
    "kernel/drivers/usb/host/",
    "kernel/drivers/usb/storage/",
    "kernel/drivers/virtio/",
    "kernel/drivers/xen/",
];

/// Parts of the above that no node needs for its boot.
const OTHER_FOLDERS: &[&str] = &[
    "kernel/drivers/block/floppy.",
    "kernel/drivers/net/arcnet/",
    "kernel/drivers/net/can/",
    "kernel/drivers/net/fddi/",
    "kernel/drivers/net/hamradio/",
    "kernel/drivers/net/ieee802154/",
    "kernel/drivers/net/wan/",
    "kernel/drivers/net/wireless/",
    "kernel/drivers/net/wwan/",
    "kernel/drivers/scsi/pcmcia/",
];

/// Buses in the above directories that are not worth the space.
const OTHER_BUSES: &[&str] = &["pcmcia:", "i2c:", "spi:", "sdio:", "dmi", "cpu:"];

/// Whether a pattern of the module at `path` is worth storing.
pub(super) fn is_worth(path: &str, pattern: &str) -> bool {
    pattern.contains(':')
        && BOOT_FOLDERS.iter().any(|folder| path.starts_with(folder))
        && !OTHER_FOLDERS.iter().any(|folder| path.starts_with(folder))
        && !OTHER_BUSES.iter().any(|bus| pattern.starts_with(bus))
}

/// The stored text.
#[derive(Debug, Clone, Default)]
pub(super) struct LeftOut {
    text: String,
    /// The ranges of each group's key and lines in the text.
    groups: Vec<(Range<usize>, Range<usize>)>,
}

impl LeftOut {
    /// Groups pairs of pattern and module. The same pairs give the same text.
    pub(super) fn build<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut groups: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for (pattern, module) in pairs {
            let (key, rest) = pattern.split_at_checked(key_len(pattern)).unwrap_or(("", pattern));
            groups.entry(key).or_default().push((rest, module));
        }
        let mut text = String::new();
        for (key, mut pairs) in groups {
            pairs.sort_unstable();
            pairs.dedup();
            let mut body = String::new();
            for (rest, module) in pairs {
                body.push_str(rest);
                body.push(' ');
                body.push_str(module);
                body.push('\n');
            }
            // Writing to a String cannot fail.
            let _ = writeln!(text, "<{key} {}", body.len());
            text.push_str(&body);
        }
        Self::parse(&text).unwrap_or_default()
    }

    /// Reads stored text. `None` if it is malformed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut groups = Vec::new();
        let mut at = 0_usize;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let (head, _) = rest.strip_prefix('<')?.split_once('\n')?;
            let (key, len) = head.rsplit_once(' ')?;
            let key_start = at.checked_add(1)?;
            let body_start = key_start.checked_add(head.len())?.checked_add(1)?;
            at = body_start.checked_add(len.parse().ok()?)?;
            text.get(body_start..at)?;
            groups.push((key_start..key_start.checked_add(key.len())?, body_start..at));
        }
        Some(Self { text: text.to_owned(), groups })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The modules that `alias` (normalized) matches, without duplicates.
    pub(super) fn lookup(&self, alias: &str) -> Vec<&str> {
        let mut modules = Vec::new();
        for (key, body) in &self.groups {
            let Some(given) = self.text.get(key.clone()).and_then(|key| alias.strip_prefix(key)) else {
                continue;
            };
            let body = self.text.get(body.clone()).unwrap_or_default();
            for (rest, module) in body.lines().filter_map(|line| line.rsplit_once(' ')) {
                if glob::matches(rest.as_bytes(), given.as_bytes()) && !modules.contains(&module) {
                    modules.push(module);
                }
            }
        }
        modules
    }
}

/// The length of a pattern's group key: the bus, plus the vendor for buses with many vendors.
fn key_len(pattern: &str) -> usize {
    let literal = glob::literal_len(pattern.as_bytes());
    let wanted = if pattern.starts_with("pci:v") {
        "pci:v00001AF4".len()
    } else if pattern.starts_with("usb:v") {
        "usb:v0BDA".len()
    } else {
        pattern.find(':').map_or(0, |colon| colon.saturating_add(1))
    };
    wanted.min(literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: &[(&str, &str)] = &[
        ("pci:v00008086d00001533sv*sd*bc*sc*i*", "igb"),
        ("pci:v00008086d00001534sv*sd*bc*sc*i*", "igb"),
        ("pci:v*d*sv*sd*bc01sc08i02*", "nvme"),
        ("usb:v0BDAp8152d*dc*", "r8152"),
        ("acpi*:VNDR0001:*", "foo"),
        ("virtio:d0000002Av*", "virtio_x"),
    ];

    #[test]
    fn lookups_find_what_the_patterns_say() {
        let built = LeftOut::build(PAIRS.iter().copied());
        let stored = LeftOut::parse(built.as_str()).expect("what was built is well formed");
        let table: &[(&str, &[&str])] = &[
            ("pci:v00008086d00001533sv0sd0bc02sc00i00", &["igb"]),
            ("pci:v00008086d00001535sv0sd0bc02sc00i00", &[]),
            ("pci:v0000144Dd0000A808sv0sd0bc01sc08i02", &["nvme"]),
            ("usb:v0BDAp8152d2000dc00", &["r8152"]),
            ("acpi:VNDR0001:", &["foo"]),
            ("virtio:d0000002Av00001AF4", &["virtio_x"]),
            ("", &[]),
        ];
        for (alias, expected) in table {
            assert_eq!(stored.lookup(alias), *expected, "{alias}");
        }
    }

    #[test]
    fn broken_text_is_refused() {
        for text in [
            "x",
            "<a",
            "<a 5\nabc",
            "<a\nabc\n",
            "<a x\nabc\n",
            "<a 4\nabc\nz",
            "<a 18446744073709551615\n",
            "<a 1\nä",
        ] {
            assert!(LeftOut::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn only_what_a_boot_needs_is_worth_bytes() {
        for (path, pattern, expected) in [
            ("kernel/drivers/net/ethernet/intel/igb/igb.ko.xz", "pci:v1", true),
            ("kernel/drivers/net/wireless/ath/ath9k/ath9k.ko", "pci:v1", false),
            ("kernel/drivers/gpu/drm/i915/i915.ko", "pci:v1", false),
            ("kernel/drivers/net/phy/realtek.ko", "mdio:x", true),
            ("kernel/drivers/scsi/x.ko", "pcmcia:x", false),
            ("kernel/drivers/block/floppy.ko", "acpi*:PNP0700:*", false),
            ("kernel/drivers/block/virtio_blk.ko", "virtio:d00000002v*", true),
            ("kernel/drivers/block/loop.ko", "devname:loop_control", true),
            ("kernel/drivers/block/loop.ko", "block_major_7_*", false),
        ] {
            assert_eq!(is_worth(path, pattern), expected, "{path} {pattern}");
        }
    }
}
