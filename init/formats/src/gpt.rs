//! GUID partition tables (UEFI Specification 2.10, section 5.3). Both checksums are verified.

use std::fmt::{self, Write};

/// One partition in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number in the kernel: 1 for the first entry of the table.
    pub number: u32,
    /// PARTUUID, in lower case.
    pub uuid: String,
    /// PARTLABEL; `None` if it is empty.
    pub label: Option<String>,
    /// The type's GUID, in lower case.
    pub type_uuid: String,
    /// The first sector.
    pub first_lba: u64,
    /// The last sector, inclusive.
    pub last_lba: u64,
}

/// Why bytes are not a partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GptError {
    /// There is no table: the signature is missing.
    NotGpt,
    /// The table is longer than the given bytes.
    TooShort {
        /// The number of bytes that are needed from the start of the disk.
        needed: u64,
    },
    /// The header is invalid or its checksum is wrong.
    Header {
        /// What is wrong.
        what: &'static str,
    },
    /// The checksum over the entries is wrong.
    Entries {
        /// The checksum in the header.
        expected: u32,
        /// The actual checksum of the entries.
        found: u32,
    },
}

impl fmt::Display for GptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGpt => {
                write!(
                    f,
                    "there is no GUID partition table: the second sector does not start with \"EFI PART\""
                )
            }
            Self::TooShort { needed } => {
                write!(
                    f,
                    "the GUID partition table needs the first {needed} bytes of the disk, but fewer were given"
                )
            }
            Self::Header { what } => write!(
                f,
                "the header of the GUID partition table is damaged: {what}; sgdisk --verify gives details"
            ),
            Self::Entries { expected, found } => write!(
                f,
                "the entries of the GUID partition table are damaged: checksum {found:08x}, the header says \
                 {expected:08x}; sgdisk --verify gives details"
            ),
        }
    }
}

impl std::error::Error for GptError {}

/// Reads the primary table from the first bytes of a disk.
/// `sector_size` is the disk's logical block size in bytes, 512 or 4096.
pub fn parse(first_sectors: &[u8], sector_size: u32) -> Result<Vec<Partition>, GptError> {
    let sector = sector_size as usize;
    let too_short = |needed: u64| GptError::TooShort { needed };
    let header_end = u64::from(sector_size).saturating_mul(2);
    let header = first_sectors
        .get(sector..sector.saturating_mul(2))
        .filter(|header| header.len() >= 92)
        .ok_or_else(|| too_short(header_end))?;
    if !header.starts_with(b"EFI PART") {
        return Err(GptError::NotGpt);
    }
    let damaged = |what| GptError::Header { what };
    let size = field32(header, 12) as usize;
    let body = header
        .get(..size)
        .filter(|body| body.len() >= 92)
        .ok_or(damaged("its length is not 92 bytes or more"))?;
    let mut crc = Crc32::default();
    // The checksum is computed with its own field set to zero.
    crc.add(body.get(..16).unwrap_or_default());
    crc.add(&[0; 4]);
    crc.add(body.get(20..).unwrap_or_default());
    if crc.finish() != field32(header, 16) {
        return Err(damaged("its checksum is wrong"));
    }
    if field64(header, 24) != 1 {
        return Err(damaged("it is not meant for sector 1"));
    }
    let (count, entry_size) = (field32(header, 80), field32(header, 84));
    // The specification allows 128 times a power of two. The limits keep the product at or below 4 MiB.
    if entry_size < 128 || !entry_size.is_power_of_two() || entry_size > 4096 || count > 1024 {
        return Err(damaged("its entries have an impossible size or number"));
    }
    let start = field64(header, 72).saturating_mul(u64::from(sector_size));
    let end = start.saturating_add(u64::from(count).saturating_mul(u64::from(entry_size)));
    let entries = usize::try_from(start)
        .ok()
        .zip(usize::try_from(end).ok())
        .and_then(|(start, end)| first_sectors.get(start..end))
        .ok_or_else(|| too_short(end))?;
    let mut crc = Crc32::default();
    crc.add(entries);
    let (expected, found) = (field32(header, 88), crc.finish());
    if expected != found {
        return Err(GptError::Entries { expected, found });
    }
    let numbered = (1_u32..).zip(entries.chunks_exact(entry_size as usize));
    Ok(numbered.filter_map(|(number, entry)| partition(number, entry)).collect())
}

/// The partition of an entry. `None` if the entry is unused.
fn partition(number: u32, entry: &[u8]) -> Option<Partition> {
    let type_guid: [u8; 16] = entry.get(..16)?.try_into().ok()?;
    if type_guid == [0; 16] {
        return None;
    }
    let name = entry.get(56..128)?;
    let units = name.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_le_bytes);
    let label: String =
        char::decode_utf16(units.take_while(|unit| *unit != 0)).map(|c| c.unwrap_or('\u{fffd}')).collect();
    Some(Partition {
        number,
        uuid: guid(entry.get(16..32)?.try_into().ok()?),
        label: (!label.is_empty()).then_some(label),
        type_uuid: guid(type_guid),
        first_lba: field64(entry, 32),
        last_lba: field64(entry, 40),
    })
}

/// A GUID as text: the first three groups are little-endian.
fn guid(mut bytes: [u8; 16]) -> String {
    for group in [0..4, 4..6, 6..8] {
        if let Some(group) = bytes.get_mut(group) {
            group.reverse();
        }
    }
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The callers check the length. A field beyond it would read as 0.
fn field32(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(<[u8]>::first_chunk).map_or(0, |field| u32::from_le_bytes(*field))
}

fn field64(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(<[u8]>::first_chunk).map_or(0, |field| u64::from_le_bytes(*field))
}

/// CRC-32 as in ISO 3309, four bits at a time.
struct Crc32 {
    state: u32,
}

impl Default for Crc32 {
    fn default() -> Self {
        Self { state: u32::MAX }
    }
}

impl Crc32 {
    /// The remainders of the sixteen 4-bit values, for the polynomial 0xEDB88320.
    const TABLE: [u32; 16] = [
        0x0000_0000,
        0x1DB7_1064,
        0x3B6E_20C8,
        0x26D9_30AC,
        0x76DC_4190,
        0x6B6B_51F4,
        0x4DB2_6158,
        0x5005_713C,
        0xEDB8_8320,
        0xF00F_9344,
        0xD6D6_A3E8,
        0xCB61_B38C,
        0x9B64_C2B0,
        0x86D3_D2D4,
        0xA00A_E278,
        0xBDBD_F21C,
    ];

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            for half in [byte & 0xF, byte >> 4] {
                let index = (self.state ^ u32::from(half)) & 0xF;
                let remainder = Self::TABLE.get(index as usize).copied().unwrap_or_default();
                self.state = (self.state >> 4) ^ remainder;
            }
        }
    }

    fn finish(self) -> u32 {
        !self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crc(bytes: &[u8]) -> u32 {
        let mut crc = Crc32::default();
        crc.add(bytes);
        crc.finish()
    }

    /// A disk with one partition and correct checksums.
    fn disk(sector: usize) -> Vec<u8> {
        // The protective MBR, the header, and 128 entries.
        let mut disk = vec![0; 2 * sector + (16 << 10)];
        let entries = 2 * sector;
        let entry = &mut disk[entries + 128..entries + 256];
        entry[..16].copy_from_slice(&[
            0xAF, 0x3D, 0xC6, 0x0F, 0x83, 0x84, 0x72, 0x47, 0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47, 0x7D, 0xE4,
        ]);
        entry[16..32].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        entry[32..40].copy_from_slice(&2048_u64.to_le_bytes());
        entry[40..48].copy_from_slice(&4095_u64.to_le_bytes());
        for (i, unit) in "stäte".encode_utf16().enumerate() {
            entry[56 + 2 * i..58 + 2 * i].copy_from_slice(&unit.to_le_bytes());
        }
        let header = &mut disk[sector..2 * sector];
        header[..8].copy_from_slice(b"EFI PART");
        header[12..16].copy_from_slice(&92_u32.to_le_bytes());
        header[24..32].copy_from_slice(&1_u64.to_le_bytes());
        header[72..80].copy_from_slice(&2_u64.to_le_bytes());
        header[80..84].copy_from_slice(&128_u32.to_le_bytes());
        header[84..88].copy_from_slice(&128_u32.to_le_bytes());
        let entries_crc = crc(&disk[entries..entries + 128 * 128]);
        disk[sector + 88..sector + 92].copy_from_slice(&entries_crc.to_le_bytes());
        seal(&mut disk, sector);
        disk
    }

    fn seal(disk: &mut [u8], sector: usize) {
        disk[sector + 16..sector + 20].fill(0);
        let header_crc = crc(&disk[sector..sector + 92]);
        disk[sector + 16..sector + 20].copy_from_slice(&header_crc.to_le_bytes());
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc(b""), 0);
    }

    #[test]
    fn partitions_are_read_at_both_sector_sizes() {
        for sector in [512, 4096] {
            assert_eq!(
                parse(&disk(sector), u32::try_from(sector).expect("small")),
                Ok(vec![Partition {
                    number: 2,
                    uuid: "04030201-0605-0807-090a-0b0c0d0e0f10".into(),
                    label: Some("stäte".into()),
                    type_uuid: "0fc63daf-8483-4772-8e79-3d69d8477de4".into(),
                    first_lba: 2048,
                    last_lba: 4095,
                }])
            );
        }
    }

    #[test]
    fn damage_is_told_apart() {
        type Damage = fn(&mut Vec<u8>);
        let table: &[(Damage, &str)] = &[
            (|d| d[512] = b'X', "there is no GUID partition table"),
            (|d| d.truncate(1023), "the GUID partition table needs the first 1024 bytes"),
            (|d| d.truncate(10_000), "the GUID partition table needs the first 17408 bytes"),
            (|d| d[512 + 40] = 1, "the header of the GUID partition table is damaged: its checksum is wrong"),
            (|d| d[512 + 12] = 91, "the header of the GUID partition table is damaged: its length"),
            (|d| d[512 + 14] = 1, "the header of the GUID partition table is damaged: its length"),
            (
                |d| {
                    d[512 + 24] = 2;
                    seal(d, 512);
                },
                "the header of the GUID partition table is damaged: it is not meant for sector 1",
            ),
            (
                |d| {
                    d[512 + 84] = 0;
                    seal(d, 512);
                },
                "the header of the GUID partition table is damaged: its entries",
            ),
            (
                |d| {
                    d[512 + 72..512 + 80].fill(0xFF);
                    seal(d, 512);
                },
                "the GUID partition table needs the first 18446744073709551615 bytes",
            ),
            (|d| d[1024 + 128 + 60] ^= 1, "the entries of the GUID partition table are damaged: checksum"),
        ];
        for (damage, expected) in table {
            let mut disk = disk(512);
            damage(&mut disk);
            let error = parse(&disk, 512).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(parse(&disk(512), 0).is_err() && parse(&disk(512), 1).is_err());
    }
}
