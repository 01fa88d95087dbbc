use super::*;

/// Taken from the guest's memory of QEMU 7.2 (SeaBIOS 1.16.2), started with
/// `-uuid 00112233-4455-6677-8899-aabbccddeeff -smbios type=1,serial=SN-0042 -smbios 'type=3,asset=rack 7/12'` and, on
/// the machine `pc`, with three strings of type 11; the second on `q35,smbios-entry-point-type=64`.
const PC: &[u8] = include_bytes!("qemu-2.8.dmi");
const PC_ENTRY: &[u8] = include_bytes!("qemu-2.8.entry");
const Q35: &[u8] = include_bytes!("qemu-3.0.dmi");
const Q35_ENTRY: &[u8] = include_bytes!("qemu-3.0.entry");

const V24: Option<Version> = Some(Version { major: 2, minor: 4 });
const V28: Option<Version> = Some(Version { major: 2, minor: 8 });

fn of_qemu() -> Smbios {
    Smbios {
        uuid: Some("00112233-4455-6677-8899-aabbccddeeff".to_owned()),
        serial: Some("SN-0042".to_owned()),
        asset_tag: Some("rack 7/12".to_owned()),
        oem_strings: Vec::new(),
    }
}

/// A structure with its strings.
fn structure(kind: u8, fields: &[u8], strings: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![kind, u8::try_from(fields.len() + 4).unwrap(), 0x34, 0x12];
    bytes.extend(fields);
    for string in strings {
        bytes.extend(*string);
        bytes.push(0);
    }
    if strings.is_empty() {
        bytes.push(0);
    }
    bytes.push(0);
    bytes
}

fn system(serial: u8, uuid: [u8; 16], strings: &[&[u8]]) -> Vec<u8> {
    let mut fields = vec![0, 0, 0, serial];
    fields.extend(uuid);
    fields.extend([6, 0, 0]);
    structure(1, &fields, strings)
}

#[test]
fn tables_of_qemu_are_read() {
    let strings = [
        "io.systemd.credential:dayfly.hostname=worker7",
        "io.systemd.credential.binary:dayfly.toml=dmVyc2lvbiA9IDEK",
        "plain words",
    ];
    let expected =
        Smbios { oem_strings: strings.iter().map(|text| text.as_bytes().to_vec()).collect(), ..of_qemu() };
    assert_eq!(parse(PC, Version::of_entry_point(PC_ENTRY)), expected);
    assert_eq!(parse(Q35, Version::of_entry_point(Q35_ENTRY)), of_qemu());
    assert_eq!(parse(Q35, None), of_qemu());
}

#[test]
fn versions() {
    let legacy = |version: u8| {
        let mut bytes = *b"_DMI_..........";
        bytes[14] = version;
        bytes
    };
    let anchored = |major: u8, minor: u8| {
        let mut bytes = [0_u8; 31];
        bytes[..4].copy_from_slice(b"_SM_");
        (bytes[6], bytes[7], bytes[30]) = (major, minor, 0x25);
        bytes
    };
    for (bytes, expected) in [
        (PC_ENTRY, Some((2, 8))),
        (Q35_ENTRY, Some((3, 0))),
        (&legacy(0x23), Some((2, 3))),
        (&anchored(2, 0x1f), Some((2, 3))),
        (&anchored(2, 0x21), Some((2, 3))),
        (&anchored(2, 0x33), Some((2, 6))),
        (&anchored(0, 0), Some((2, 5))),
        (b"", None),
        (b"_SM_", None),
        (b"_SM3_\0\0\x03", None),
        (b"_XX_aaaaaaaaaaaaaaaaaaaaaaaaaaaa", None),
    ] {
        let found = Version::of_entry_point(bytes).map(|version| (version.major, version.minor));
        assert_eq!(found, expected, "{bytes:02x?}");
    }
}

#[test]
fn old_tables_have_their_uuid_in_one_order() {
    let bytes = std::array::from_fn(|at| u8::try_from(at * 0x11).unwrap());
    let table = system(0, bytes, &[]);
    let uuid = |version| parse(&table, version).uuid.unwrap();
    assert_eq!(uuid(V24), "00112233-4455-6677-8899-aabbccddeeff");
    assert_eq!(uuid(V28), "33221100-5544-7766-8899-aabbccddeeff");
    assert_eq!(uuid(None), uuid(V28));
}

#[test]
fn what_a_vendor_left_unfilled_is_none() {
    for uuid in [
        [0; 16],
        [0xff; 16],
        [0x11; 16],
        [0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9],
        [3, 0, 2, 0, 4, 0, 5, 0, 0, 6, 0, 7, 0, 8, 0, 9],
    ] {
        assert_eq!(parse(&system(0, uuid, &[]), V24).uuid, None, "{uuid:02x?}");
    }
    for (text, expected) in [
        ("", None),
        ("   ", None),
        ("To be filled by O.E.M.", None),
        (" Default string ", None),
        ("System Serial Number", None),
        ("00000000", None),
        ("................", None),
        ("5CG1234XYZ  ", Some("5CG1234XYZ")),
        ("0", Some("0")),
        ("10", Some("10")),
        ("b\u{fc}ro", Some("b\u{fc}ro")),
    ] {
        let found = parse(&system(1, [1; 16], &[text.as_bytes()]), V28).serial;
        assert_eq!(found.as_deref(), expected, "{text:?}");
    }
    let latin1 = parse(&system(1, [1; 16], &[b"b\xfcro"]), V28).serial;
    assert_eq!(latin1.as_deref(), Some("b\u{fffd}ro"));
}

#[test]
fn strings_and_lengths_that_lie_are_harmless() {
    let strings: &[&[u8]] = &[b"one", b"two"];
    // The number of a string that does not exist.
    assert_eq!(parse(&system(3, [1; 16], strings), V28).serial, None);
    assert_eq!(parse(&system(0, [1; 16], strings), V28).serial, None);
    // A structure that is too short for its fields.
    let short = parse(&structure(1, &[0, 0, 0], strings), V28);
    assert_eq!((short.serial, short.uuid), (None, None));
    let no_uuid = parse(&structure(1, &[0, 0, 0, 2], strings), V28);
    assert_eq!((no_uuid.serial.as_deref(), no_uuid.uuid), (Some("two"), None));
    // The count is higher or lower than the number of strings.
    for (count, expected) in [(9, 2), (2, 2), (1, 1), (0, 0)] {
        assert_eq!(parse(&structure(11, &[count], strings), V28).oem_strings.len(), expected, "{count}");
    }
    assert_eq!(parse(&structure(11, &[], strings), V28), Smbios::default());
    // A length that ends inside the strings, below the header, or beyond the end.
    for length in [0, 3, 200, 255] {
        let mut table = structure(11, &[2], strings);
        table[1] = length;
        assert_eq!(parse(&table, V28), Smbios::default(), "{length}");
    }
    // Data behind the end of the table is ignored.
    let table = [structure(127, &[], &[]), structure(11, &[2], strings)].concat();
    assert_eq!(parse(&table, V28), Smbios::default());
}

#[test]
fn the_first_value_counts_and_oem_strings_gather() {
    let table = [
        system(1, [0; 16], &[b" "]),
        system(1, [1; 16], &[b"first"]),
        structure(11, &[1], &[b"a"]),
        system(1, [2; 16], &[b"second"]),
        structure(11, &[2], &[b"b", b"\xff\x01"]),
    ]
    .concat();
    let found = parse(&table, V28);
    assert_eq!(found.serial.as_deref(), Some("first"));
    assert_eq!(found.uuid.as_deref(), Some("01010101-0101-0101-0101-010101010101"));
    assert_eq!(found.oem_strings, [b"a".to_vec(), b"b".to_vec(), b"\xff\x01".to_vec()]);
}

#[test]
fn a_table_that_was_cut_gives_what_came_before() {
    let whole = parse(PC, V28);
    for len in 0..PC.len() {
        let found = parse(&PC[..len], V28);
        // No value is invented and no string is shortened.
        assert!(found.serial.is_none() || found.serial == whole.serial, "{len}");
        assert!(found.uuid.is_none() || found.uuid == whole.uuid, "{len}");
        assert!(found.oem_strings.is_empty() || found.oem_strings == whole.oem_strings, "{len}");
    }
}

#[test]
fn oem_strings_are_not_shown() {
    let shown = format!("{:?}", parse(&structure(11, &[1], &[b"a-token"]), V28));
    assert!(shown.contains("oem_strings: 1") && !shown.contains("token"), "{shown}");
}
