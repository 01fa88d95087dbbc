//! The fake's SMBIOS data (DMTF DSP0134).

/// The path of the table.
pub const TABLE: &str = "/sys/firmware/dmi/tables/DMI";

/// A table with only a machine UUID: the system information (type 1) without strings, and the end of the table.
pub fn with_uuid() -> Vec<u8> {
    let uuid = *b"DELLQ\0\x10D\x80R\xb4\xc0ONM2";
    let system = [1, 27, 0, 1, 0, 0, 0, 0].into_iter().chain(uuid).chain([0; 3 + 2]);
    system.chain([127, 4, 0, 0, 0, 0]).collect()
}
