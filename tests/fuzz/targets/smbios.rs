//! SMBIOS tables: whatever the firmware contains, strings are parts of the table and identifiers are printable.
//!
//! The input is the entry point's first 32 bytes, then the table.
#![no_main]

use dayfly_formats::smbios::{Version, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (entry, table) = bytes.split_at(bytes.len().min(32));
    let found = parse(table, Version::of_entry_point(entry));
    for string in &found.oem_strings {
        assert!(!string.is_empty() && !string.contains(&0));
        assert!(table.windows(string.len()).any(|part| part == string));
    }
    assert!(found.oem_strings.iter().map(|string| string.len() + 1).sum::<usize>() <= table.len());
    if let Some(uuid) = &found.uuid {
        assert!(uuid.len() == 36 && uuid.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()), "{uuid}");
    }
    for text in [found.serial, found.asset_tag].into_iter().flatten() {
        assert!(!text.is_empty() && text.trim() == text && !text.contains('\0'), "{text:?}");
    }
});
