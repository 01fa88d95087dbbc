//! MBR partition tables, without logical partitions.

/// One partition in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its number in the kernel.
    pub number: u32,
    /// Its type: 0x83 is Linux.
    pub kind: u8,
    /// The first sector, of 512 bytes.
    pub first_lba: u64,
    /// Its length in sectors.
    pub sectors: u64,
}

/// Reads the table from a disk's first sector. `None` if there is none, or only the protective one of a GPT.
pub fn parse(first_sector: &[u8]) -> Option<Vec<Partition>> {
    const PROTECTIVE: u8 = 0xEE;
    if first_sector.get(510..512)? != [0x55, 0xAA] {
        return None;
    }
    let table = first_sector.get(446..510)?;
    let number = |entry: &[u8], at: usize| {
        entry.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |field| u64::from(u32::from_le_bytes(*field)))
    };
    let mut partitions = Vec::new();
    for (index, entry) in (1_u32..).zip(table.chunks_exact(16)) {
        // A file system's boot sector ends with the same signature, but has no partition table before it.
        let [0 | 0x80, _, _, _, kind, ..] = *entry else { return None };
        let partition =
            Partition { number: index, kind, first_lba: number(entry, 8), sectors: number(entry, 12) };
        match kind {
            0 => {}
            PROTECTIVE => return None,
            _ if partition.first_lba == 0 || partition.sectors == 0 => return None,
            _ => partitions.push(partition),
        }
    }
    (!partitions.is_empty()).then_some(partitions)
}

/// The PARTUUID of a partition as the kernel and blkid write it, from the disk's first sector: `abcd1234-02`. `None`
/// without a table or without a disk signature.
pub fn part_uuid(first_sector: &[u8], number: u32) -> Option<String> {
    let mark = first_sector.get(510..512)?;
    let signature = first_sector.get(440..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
    (mark == [0x55, 0xAA] && signature != 0).then(|| format!("{signature:08x}-{number:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(entries: &[[u8; 16]]) -> Vec<u8> {
        let mut disk = vec![0; 512];
        for (index, entry) in entries.iter().enumerate() {
            disk[446 + 16 * index..462 + 16 * index].copy_from_slice(entry);
        }
        disk[510..].copy_from_slice(&[0x55, 0xAA]);
        disk
    }

    const FAT: [u8; 16] = [0x80, 0, 0, 0, 0x0c, 0, 0, 0, 0, 8, 0, 0, 0, 16, 0, 0];
    const LINUX: [u8; 16] = [0, 0, 0, 0, 0x83, 0, 0, 0, 0, 24, 0, 0, 0, 0, 1, 0];

    #[test]
    fn partitions_are_read_and_nothing_is_made_up() {
        let found = parse(&disk(&[FAT, LINUX])).unwrap();
        assert_eq!(found[1], Partition { number: 2, kind: 0x83, first_lba: 6144, sectors: 65536 });
        assert_eq!(found.len(), 2);
        let mut protective = LINUX;
        protective[4] = 0xEE;
        let mut odd = LINUX;
        odd[0] = 0x41;
        for (disk, what) in [
            (disk(&[]), "an empty table"),
            (disk(&[protective]), "a GPT's"),
            (disk(&[odd]), "a boot sector's text"),
            (disk(&[LINUX])[..511].to_vec(), "too short"),
            (vec![0; 512], "no mark"),
        ] {
            assert_eq!(parse(&disk), None, "{what}");
        }
    }

    #[test]
    fn a_part_uuid_is_signature_and_number() {
        let mut sector = vec![0; 512];
        assert_eq!(part_uuid(&sector, 1), None);
        sector[510..].copy_from_slice(&[0x55, 0xAA]);
        assert_eq!(part_uuid(&sector, 1), None);
        sector[440..444].copy_from_slice(&[0x34, 0x12, 0xCD, 0x0B]);
        assert_eq!(part_uuid(&sector, 12).as_deref(), Some("0bcd1234-0c"));
        assert_eq!(part_uuid(&sector[..511], 1), None);
        assert_eq!(part_uuid(&[], 1), None);
    }
}
