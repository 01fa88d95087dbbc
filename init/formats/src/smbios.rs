//! The firmware's data about the machine: the SMBIOS structure table (DMTF DSP0134), as in
//! `/sys/firmware/dmi/tables/DMI`. The kernel provides it without a module.

use std::fmt;

/// The structures that are read, and the offsets of their fields (DSP0134, section 7).
mod field {
    pub const SYSTEM: u8 = 1;
    pub const SYSTEM_SERIAL: usize = 0x07;
    pub const SYSTEM_UUID: usize = 0x08;
    pub const CHASSIS: u8 = 3;
    pub const CHASSIS_ASSET_TAG: usize = 0x08;
    pub const OEM_STRINGS: u8 = 11;
    pub const OEM_COUNT: usize = 0x04;
    pub const END_OF_TABLE: u8 = 127;
}

/// Placeholder texts that vendors leave in a field. They do not identify a machine.
const UNFILLED: [&str; 14] = [
    "0123456789",
    "123456789",
    "1234567890",
    "chassis serial number",
    "default string",
    "invalid",
    "n/a",
    "no asset tag",
    "none",
    "not applicable",
    "not specified",
    "system serial number",
    "to be filled by o.e.m.",
    "unknown",
];

/// UUIDs that many boards share.
const SHARED_UUIDS: [&str; 3] = [
    "00020003-0004-0005-0006-000700080009",
    "03000200-0400-0500-0006-000700080009",
    "12345678-1234-5678-90ab-cddeefaabbcc",
];

/// The version of the specification that a table follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 2 or 3.
    pub major: u8,
    /// The minor version.
    pub minor: u8,
}

impl Version {
    /// The version in the table's entry point, `/sys/firmware/dmi/tables/smbios_entry_point` (DSP0134, section 5.2).
    pub fn of_entry_point(bytes: &[u8]) -> Option<Self> {
        let byte = |at: usize| bytes.get(at).copied();
        if bytes.starts_with(b"_SM3_") {
            return Some(Self { major: byte(7)?, minor: byte(8)? });
        }
        let decimal = |byte: u8| Self { major: byte >> 4, minor: byte & 0x0f };
        if bytes.starts_with(b"_DMI_") {
            return byte(14).map(decimal);
        }
        if !bytes.starts_with(b"_SM_") {
            return None;
        }
        match (byte(6)?, byte(7)?) {
            (0, 0) => byte(0x1e).map(decimal),
            // Some firmware writes these for 2.3 and 2.6; the kernel has the same table (drivers/firmware/dmi_scan.c).
            (2, 0x1f | 0x21) => Some(Self { major: 2, minor: 3 }),
            (2, 0x33) => Some(Self { major: 2, minor: 6 }),
            (major, minor) => Some(Self { major, minor }),
        }
    }

    /// Since 2.6 the first three fields of a UUID are little-endian. An unknown version counts as a new one.
    fn has_mixed_uuids(version: Option<Self>) -> bool {
        version.is_none_or(|version| version >= Self { major: 2, minor: 6 })
    }
}

/// The identity of a machine, and the OEM strings.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Smbios {
    /// The system's UUID, in lower case, as in `/sys/class/dmi/id/product_uuid`. `None` if the vendor did not set a
    /// unique one.
    pub uuid: Option<String>,
    /// The system's serial number, without surrounding spaces. `None` if the vendor did not set one.
    pub serial: Option<String>,
    /// The chassis' asset tag, in the same form.
    pub asset_tag: Option<String>,
    /// All OEM strings in order, unchanged. They may be secrets, see [`crate::credential`].
    pub oem_strings: Vec<Vec<u8>>,
}

impl fmt::Debug for Smbios {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smbios")
            .field("uuid", &self.uuid)
            .field("serial", &self.serial)
            .field("asset_tag", &self.asset_tag)
            .field("oem_strings", &self.oem_strings.len())
            .finish()
    }
}

/// Reads a structure table. If it is truncated or invalid, the data before that point is used. If a structure occurs
/// several times, the first one with a value counts, as in the kernel.
pub fn parse(table: &[u8], version: Option<Version>) -> Smbios {
    let mut found = Smbios::default();
    for structure in (Structures { rest: table }) {
        match structure.kind {
            field::SYSTEM => {
                found.serial =
                    found.serial.take().or_else(|| filled(structure.string(field::SYSTEM_SERIAL)?));
                found.uuid = found.uuid.take().or_else(|| uuid(&structure, version));
            }
            field::CHASSIS => {
                found.asset_tag =
                    found.asset_tag.take().or_else(|| filled(structure.string(field::CHASSIS_ASSET_TAG)?));
            }
            field::OEM_STRINGS => {
                let count = structure.formatted.get(field::OEM_COUNT).copied().unwrap_or_default();
                found.oem_strings.extend(structure.strings().take(usize::from(count)).map(<[u8]>::to_vec));
            }
            _ => {}
        }
    }
    found
}

/// One structure: a formatted area, then strings.
struct Structure<'a> {
    kind: u8,
    /// Includes the header of four bytes.
    formatted: &'a [u8],
    /// Strings, separated by NUL.
    unformatted: &'a [u8],
}

impl<'a> Structure<'a> {
    fn strings(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.unformatted.split(|byte| *byte == 0).filter(|string| !string.is_empty())
    }

    /// The string whose number, counted from 1, is at this offset of the formatted area.
    fn string(&self, at: usize) -> Option<&'a [u8]> {
        let number = self.formatted.get(at).copied()?;
        self.strings().nth(usize::from(number.checked_sub(1)?))
    }
}

struct Structures<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Structures<'a> {
    type Item = Structure<'a>;

    fn next(&mut self) -> Option<Structure<'a>> {
        let [kind, length, _, _, ..] = *self.rest else { return None };
        if length < 4 || kind == field::END_OF_TABLE {
            return None;
        }
        let (formatted, rest) = self.rest.split_at_checked(usize::from(length))?;
        // Two NULs end the strings, even if there are none. Without this end, the table is truncated.
        let end = rest.windows(2).position(|pair| pair == [0, 0])?;
        let (unformatted, rest) = rest.split_at_checked(end)?;
        self.rest = rest.get(2..)?;
        Some(Structure { kind, formatted, unformatted })
    }
}

fn filled(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text).trim().to_owned();
    let is_row_of = |byte: u8| text.len() > 2 && text.bytes().all(|other| other == byte);
    let is_unfilled = text.is_empty()
        || UNFILLED.contains(&text.to_ascii_lowercase().as_str())
        || [b'0', b'1', b'.', b'*', b'x', b'X'].into_iter().any(is_row_of);
    (!is_unfilled).then_some(text)
}

fn uuid(system: &Structure<'_>, version: Option<Version>) -> Option<String> {
    let bytes: [u8; 16] = system.formatted.get(field::SYSTEM_UUID..)?.get(..16)?.try_into().ok()?;
    let number = u128::from_be_bytes(bytes);
    let (mut low, mut mid, mut high) = ((number >> 96) as u32, (number >> 80) as u16, (number >> 64) as u16);
    if Version::has_mixed_uuids(version) {
        (low, mid, high) = (low.swap_bytes(), mid.swap_bytes(), high.swap_bytes());
    }
    let (clock, node) = ((number >> 48) as u16, number & 0xffff_ffff_ffff);
    let text = format!("{low:08x}-{mid:04x}-{high:04x}-{clock:04x}-{node:012x}");
    // The specification defines all zeros and all ones as "none". A UUID with the same digit everywhere is treated the
    // same way.
    let is_filled = text.bytes().any(|digit| digit != b'-' && !text.starts_with(char::from(digit)));
    (is_filled && !SHARED_UUIDS.contains(&text.as_str())).then_some(text)
}

#[cfg(test)]
mod tests;
