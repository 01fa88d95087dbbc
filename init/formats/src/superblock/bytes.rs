//! Reads fields at fixed offsets. Everything beyond the end is `None`.

use std::fmt::Write;

pub(super) fn at(bytes: &[u8], offset: usize, len: usize) -> Option<&[u8]> {
    bytes.get(offset..offset.checked_add(len)?)
}

pub(super) fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    at(bytes, offset, N)?.try_into().ok()
}

pub(super) fn byte(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

pub(super) fn le16(bytes: &[u8], offset: usize) -> Option<u16> {
    array(bytes, offset).map(u16::from_le_bytes)
}

pub(super) fn le32(bytes: &[u8], offset: usize) -> Option<u32> {
    array(bytes, offset).map(u32::from_le_bytes)
}

pub(super) fn le64(bytes: &[u8], offset: usize) -> Option<u64> {
    array(bytes, offset).map(u64::from_le_bytes)
}

pub(super) fn be32(bytes: &[u8], offset: usize) -> Option<u32> {
    array(bytes, offset).map(u32::from_be_bytes)
}

/// Whether `magic` is at `offset`.
pub(super) fn has(bytes: &[u8], offset: usize, magic: &[u8]) -> bool {
    at(bytes, offset, magic.len()) == Some(magic)
}

/// A name of fixed length, up to a NUL, without trailing spaces. `None` if it is empty.
pub(super) fn text(field: &[u8]) -> Option<String> {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    let text = String::from_utf8_lossy(field.get(..end)?);
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The same for UTF-16, in either byte order.
pub(super) fn text16(field: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let units = field.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(unit);
    let text: String =
        char::decode_utf16(units.take_while(|u| *u != 0)).map(|c| c.unwrap_or('\u{fffd}')).collect();
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A UUID in network order, `1b4e28ba-2fa1-11d2-883f-0016d3cca427`; `None` if all bits are zero.
pub(super) fn uuid(bytes: [u8; 16]) -> Option<String> {
    if bytes == [0; 16] {
        return None;
    }
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}
