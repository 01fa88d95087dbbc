//! The programs of the fake's image, as far as a boot runs them.

use std::path::Path;

use dayfly_sys::Output;

use super::State;

/// What a program does to the fake and says.
pub fn run(state: &mut State, _root: &Path, program: &str, args: &[&str]) -> Output {
    match (program, args) {
        ("mkfs.ext4", [_, "-L", label, disk]) => {
            let Some(bytes) = state.disks.get_mut(Path::new(disk)) else {
                return Output { status: 1, text: format!("The file {disk} does not exist") };
            };
            *bytes = ext4(bytes.len(), label);
            Output { status: 0, text: String::new() }
        }
        _ => Output { status: 127, text: format!("{program}: the fake has no such program") },
    }
}

/// As much of an ext4 file system as tells that it is one (kernel Documentation/filesystems/ext4/globals.rst).
pub fn ext4(len: usize, label: &str) -> Vec<u8> {
    let mut bytes = vec![0; len];
    bytes[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
    // Journal, extents.
    bytes[1024 + 0x5c] = 4;
    bytes[1024 + 0x60] = 0x40;
    bytes[1024 + 0x78..1024 + 0x78 + label.len()].copy_from_slice(label.as_bytes());
    bytes
}
