//! Names of network interfaces: whatever sysfs, drivers and firmware contain, a name is valid for an interface.
//!
//! The input is the device's folder, then files as `\n%NAME CONTENT` and slots as `\n%slot NUMBER ADDRESS`. A NAME is the end
//! of a path, so that one file can exist for every folder.
#![no_main]

use dayfly_formats::net_id::names;
use libfuzzer_sys::fuzz_target;

/// Splits at the first of these bytes.
fn halves(bytes: &[u8], at: u8) -> (&[u8], &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == at);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// Splits where a line starts with `%`.
fn records(mut input: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some(at) = input.windows(2).position(|pair| pair == b"\n%") {
        found.push(&input[..at]);
        input = &input[at + 2..];
    }
    found.push(input);
    found
}

fuzz_target!(|input: &[u8]| {
    let records = records(input);
    let device = String::from_utf8_lossy(records[0]);
    let (mut files, mut slots) = (Vec::new(), Vec::new());
    for record in &records[1..] {
        let (name, content) = halves(record, b' ');
        if name == b"slot" {
            let (number, address) = halves(content, b' ');
            let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
            slots.push((text(number), text(address)));
        } else {
            files.push((name, content));
        }
    }
    let read = |path: &str| {
        // Only files of the interface itself and of its parent devices.
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = folder.strip_suffix("/firmware_node").unwrap_or(folder);
        assert!(device.starts_with(folder), "{path} of {device}");
        let found = files.iter().find(|(name, _)| !name.is_empty() && path.as_bytes().ends_with(name));
        found.map(|(_, content)| content.to_vec())
    };
    let found = names(&device, &read, &slots);

    let all = found.all();
    for name in &all {
        assert!((3..=15).contains(&name.len()), "{name:?}");
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !b":/%".contains(&byte)), "{name:?}");
    }
    let kinds = [
        (&found.onboard, &["o", "d"][..]),
        (&found.slot, &["s", "P", "X"]),
        (&found.firmware_slot, &["s", "P"]),
        (&found.path, &["p", "P"]),
        (&found.mac, &["x"]),
    ];
    for (name, letters) in kinds {
        let Some(name) = name else { continue };
        let rest = ["en", "wl", "ww"].iter().find_map(|prefix| name.strip_prefix(prefix));
        assert!(rest.is_some_and(|rest| letters.iter().any(|letter| rest.starts_with(letter))), "{name:?}");
    }
    // The firmware's number is returned only if it differs, and it is never an interface's only name.
    assert!(found.firmware_slot.is_none() || found.firmware_slot != found.slot && found.path.is_some());
    if let Some(mac) = &found.mac {
        assert!(mac.len() == 15 && mac[3..].bytes().all(|byte| byte.is_ascii_hexdigit()), "{mac:?}");
        assert_eq!(if found.is_usb { all.first() } else { all.last() }, Some(&mac.as_str()));
    }
    // An interface that is not Ethernet gets no name.
    if read(&format!("{device}/type")).is_none_or(|kind| String::from_utf8_lossy(&kind).trim() != "1") {
        assert!(all.is_empty(), "{all:?}");
    }
});
