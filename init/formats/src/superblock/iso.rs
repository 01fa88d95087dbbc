//! ISO 9660 with Joliet.

use super::bytes::{at, byte, has, text, text16};
use super::{Kind, Superblock};

const SECTOR: usize = 2048;
/// Volume descriptors start at the 16th sector.
const FIRST: usize = 16 * SECTOR;

/// ECMA-119, 8.4: the primary volume descriptor. The UUID is the modification time, or else the creation time.
pub(super) fn iso9660(device: &[u8]) -> Option<Superblock> {
    let primary = descriptor(device, FIRST).filter(|d| byte(d, 0) == Some(1))?;
    let name = text(at(primary, 40, 32)?);
    let label = match joliet(device) {
        // Joliet stores 16 characters, the primary descriptor 32 characters of a smaller character set.
        Some(long) if long.chars().count() == 16 => {
            let tail: String = name.unwrap_or_default().chars().skip(16).collect();
            Some(long + &tail)
        }
        Some(short) => Some(short),
        None => name,
    };
    let uuid = date(at(primary, 830, 17)?).or_else(|| date(at(primary, 813, 17)?));
    Some(Superblock { kind: Kind::Iso9660, label, uuid })
}

fn descriptor(device: &[u8], offset: usize) -> Option<&[u8]> {
    at(device, offset, SECTOR).filter(|d| has(d, 1, b"CD001"))
}

/// The name in the supplementary descriptor, in UTF-16.
fn joliet(device: &[u8]) -> Option<String> {
    const SUPPLEMENTARY: u8 = 2;
    const END: u8 = 255;
    (FIRST..)
        .step_by(SECTOR)
        .map_while(|offset| descriptor(device, offset))
        .take_while(|d| byte(d, 0) != Some(END))
        .find(|d| byte(d, 0) == Some(SUPPLEMENTARY) && matches!(at(d, 88, 3), Some(b"%/@" | b"%/C" | b"%/E")))
        .and_then(|d| text16(at(d, 40, 32)?, u16::from_be_bytes))
}

/// Converts `2024013112000000` and an offset to `2024-01-31-12-00-00-00`. `None` if no date is set.
fn date(field: &[u8]) -> Option<String> {
    let digits = std::str::from_utf8(field.get(..16)?).ok()?;
    let unset = digits.bytes().all(|b| b == b'0');
    (digits.bytes().all(|b| b.is_ascii_digit()) && !unset).then_some(())?;
    let (year, mut rest) = digits.split_at_checked(4)?;
    let mut parts = vec![year];
    while let Some((part, after)) = rest.split_at_checked(2).filter(|(part, _)| !part.is_empty()) {
        parts.push(part);
        rest = after;
    }
    Some(parts.join("-"))
}
