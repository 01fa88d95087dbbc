//! The programs of the fake's image that a boot runs.

use std::path::Path;

use dayfly_sys::Output;

use super::{Node, State};

/// Simulates a program: changes the fake's state and returns the output.
pub fn run(state: &mut State, root: &Path, program: &str, args: &[&str]) -> Output {
    match (program, args) {
        ("mkfs.ext4", [_, "-L", label, disk]) => {
            let Some(bytes) = state.disks.get_mut(Path::new(disk)) else {
                return Output { status: 1, text: format!("The file {disk} does not exist") };
            };
            *bytes = ext4(bytes.len(), label);
            Output { status: 0, text: String::new() }
        }
        ("fsck.ext4", ["-a", disk]) => match state.nodes.get(Path::new(disk)) {
            Some(Node::Block) => Output { status: state.fsck, text: format!("{disk}: as told") },
            _ => Output { status: 8, text: format!("{disk}: No such file or directory") },
        },
        // ssh-keygen(1) writes the private key to the path of -f, and the public key next to it.
        ("ssh-keygen", ["-q", "-t", kind, "-N", "", "-f", file]) => {
            let file = root.join(file.trim_start_matches('/'));
            state.keys_made += 1;
            let number = state.keys_made;
            let key = format!("-----BEGIN {kind} PRIVATE KEY-----\n{number}\n-----END PRIVATE KEY-----\n");
            state.put(&file, Node::File(key.into_bytes()));
            let public = format!("{}.pub", file.display());
            state.put(Path::new(&public), Node::File(format!("ssh-{kind} {number}\n").into_bytes()));
            Output { status: 0, text: String::new() }
        }
        _ => Output { status: 127, text: format!("{program}: the fake has no such program") },
    }
}

/// The part of an ext4 file system by which it is recognised (kernel Documentation/filesystems/ext4/globals.rst).
pub fn ext4(len: usize, label: &str) -> Vec<u8> {
    let mut bytes = vec![0; len];
    bytes[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
    // Journal, extents.
    bytes[1024 + 0x5c] = 4;
    bytes[1024 + 0x60] = 0x40;
    bytes[1024 + 0x78..1024 + 0x78 + label.len()].copy_from_slice(label.as_bytes());
    bytes
}
