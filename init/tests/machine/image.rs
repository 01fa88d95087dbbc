//! Images of the fake: a superblock followed by arbitrary bytes.

use dayfly_plan::settings::value::Sha256 as Digest256;
use sha2::{Digest, Sha256};

/// The SHA-256 of an image, in the form of the kernel parameter.
pub fn sha256(bytes: &[u8]) -> String {
    Digest256(Sha256::digest(bytes).into()).to_string()
}

/// The superblock of an ext4 with this label (fs/ext4/ext4.h).
pub fn ext4(label: &str) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[1024 + 0x38..1024 + 0x3a].copy_from_slice(&0xef53_u16.to_le_bytes());
    // Extents, which ext3 does not have.
    bytes[1024 + 0x60] = 0x40;
    bytes[1024 + 0x78..1024 + 0x78 + label.len()].copy_from_slice(label.as_bytes());
    bytes
}

/// A squashfs superblock (fs/squashfs/squashfs_fs.h) followed by bytes, `len` in all.
pub fn squashfs(len: usize) -> Vec<u8> {
    let pattern: Vec<u8> = (0..=250).collect();
    let mut bytes = pattern.repeat(len / pattern.len() + 1);
    bytes.truncate(len);
    bytes[..4].copy_from_slice(b"hsqs");
    bytes[20..22].copy_from_slice(&6u16.to_le_bytes());
    bytes[28..30].copy_from_slice(&4u16.to_le_bytes());
    bytes[40..48].copy_from_slice(&(len as u64).to_le_bytes());
    bytes
}
