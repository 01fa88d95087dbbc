//! Files that users sometimes give instead of an image: archives, compressed files, virtual disks, web pages. Each is
//! recognized by its first bytes and comes with the command that makes an image of it.
//!
//! Sources: the magic numbers of file(1), the formats' own specifications where they are public.

/// A file that is not an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// What it is, to end the sentence "it is …".
    pub name: &'static str,
    /// How to make an image of it, or how to find the right file.
    pub help: &'static str,
}

/// A signature: its offset and its bytes.
type Mark = (usize, &'static [u8]);

/// Formats by signature. The first match wins, so a format that can be inside another one comes after it.
const MARKS: &[(Mark, Foreign)] = &[
    ((0, &[0x1f, 0x8b]), is("a file compressed with gzip", "Unpack it on the server: `gunzip IMAGE.gz`.")),
    ((0, b"\xfd7zXZ\0"), is("a file compressed with xz", "Unpack it on the server: `unxz IMAGE.xz`.")),
    (
        (0, &[0x28, 0xb5, 0x2f, 0xfd]),
        is("a file compressed with zstd", "Unpack it on the server: `unzstd IMAGE.zst`."),
    ),
    ((0, b"BZh"), is("a file compressed with bzip2", "Unpack it on the server: `bunzip2 IMAGE.bz2`.")),
    (
        (0, &[0x04, 0x22, 0x4d, 0x18]),
        is("a file compressed with lz4", "Unpack it on the server: `unlz4 IMAGE.lz4`."),
    ),
    (
        (0, &[0x02, 0x21, 0x4c, 0x18]),
        is(
            "a file compressed with lz4 (an initramfs, most likely)",
            "Give the image of the OS here; an initramfs goes to the boot loader.",
        ),
    ),
    ((0, b"\x5d\0\0"), is("a file compressed with lzma", "Unpack it on the server: `unlzma IMAGE.lzma`.")),
    ((0, b"7z\xbc\xaf\x27\x1c"), is("a 7z archive", "Unpack it: `7z x IMAGE`.")),
    (
        (257, b"ustar"),
        is(
            "a tar archive",
            "Make an image of it: `sqfstar os.squashfs -comp zstd <IMAGE.tar`, or `mkfs.erofs --tar=f os.erofs IMAGE.tar`. For an archive from `docker save`, export a container instead: `docker export`.",
        ),
    ),
    ((0, b"07070"), CPIO),
    ((0, &[0xc7, 0x71]), CPIO),
    (
        (0, b"!<arch>\n"),
        is("a Debian package or another ar archive", "Install it into the tree that the image is made from."),
    ),
    ((0, b"PK\x03\x04"), is("a zip archive", "Unpack it: `unzip IMAGE.zip`.")),
    (
        (0, b"QFI\xfb"),
        is(
            "a disk of QEMU (qcow2)",
            "Convert it on the server: `qemu-img convert -O raw IMAGE.qcow2 os.img`. Dayfly finds its root partition automatically.",
        ),
    ),
    ((0, b"KDMV"), VMDK),
    ((0, b"# Disk DescriptorFile"), VMDK),
    (
        (0, b"vhdxfile"),
        is(
            "a disk of Hyper-V (vhdx)",
            "Convert it on the server: `qemu-img convert -O raw IMAGE.vhdx os.img`.",
        ),
    ),
    (
        (0, b"conectix"),
        is(
            "a disk of Hyper-V (vhd)",
            "Convert it on the server: `qemu-img convert -f vpc -O raw IMAGE.vhd os.img`.",
        ),
    ),
    (
        (64, &[0x7f, 0x10, 0xda, 0xbe]),
        is(
            "a disk of VirtualBox (vdi)",
            "Convert it on the server: `qemu-img convert -O raw IMAGE.vdi os.img`.",
        ),
    ),
    (
        (0, b"sqsh"),
        is(
            "a big-endian squashfs from before 2009",
            "Make it again with a current mksquashfs: `unsquashfs IMAGE && mksquashfs squashfs-root os.squashfs -comp zstd`.",
        ),
    ),
    (
        (0, b"hsqs"),
        is(
            "a squashfs of a version that kernels since 2009 do not support",
            "Make it again with a current mksquashfs.",
        ),
    ),
    (
        (0, &[0x45, 0x3d, 0xcd, 0x28]),
        is("a cramfs", "Make a squashfs of the tree: `mksquashfs os os.squashfs -comp zstd`."),
    ),
    (
        (0, b"version https://git-lfs"),
        is("a Git LFS pointer, not the file itself", "Fetch the file on the server: `git lfs pull`."),
    ),
    (
        (0x202, b"HdrS"),
        is("a Linux kernel", "The kernel goes to the boot loader; give the image of the OS here."),
    ),
    ((0, b"\x7fELF"), is("a program (ELF)", "Give the image of the OS here.")),
    ((0, b"MZ"), is("a program for EFI or Windows", "Give the image of the OS here.")),
];

const CPIO: Foreign = is(
    "a cpio archive (an initramfs, most likely)",
    "An initramfs goes to the boot loader. Make an image of the tree: `mkdir os && (cd os && cpio -id) <IMAGE && mksquashfs os os.squashfs -comp zstd`.",
);
const VMDK: Foreign = is(
    "a disk of VMware (vmdk)",
    "Convert it on the server: `qemu-img convert -O raw IMAGE.vmdk os.img`. Dayfly finds its root partition automatically.",
);

const fn is(name: &'static str, help: &'static str) -> Foreign {
    Foreign { name, help }
}

/// Recognizes a file that is not an image by its first bytes. [`super::superblock::PROBE_LEN`] of them are enough.
pub fn recognize(head: &[u8]) -> Option<Foreign> {
    let has = |(at, bytes): &Mark| head.get(*at..).is_some_and(|rest| rest.starts_with(bytes));
    if let Some((_, foreign)) = MARKS.iter().find(|(mark, _)| has(mark)) {
        return Some(*foreign);
    }
    page(head).or_else(|| empty(head))
}

/// A page that a web server sends with status 200 instead of the file, as captive portals and some object stores do.
fn page(head: &[u8]) -> Option<Foreign> {
    let text = head.get(..head.len().min(512))?.trim_ascii_start();
    let starts = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if [&b"<!doctype"[..], b"<html", b"<head", b"<body"].iter().any(|word| starts(word)) {
        let help = "Open the URL with `curl -v`: the server sends a page (an error, a login, a directory listing) where the image should be.";
        return Some(Foreign { name: "a web page", help });
    }
    if starts(b"<?xml") || starts(b"<error") || starts(b"{\"") {
        let help = "Open the URL with `curl -v`: the server sends a message where the image should be.";
        return Some(Foreign { name: "a message from a server", help });
    }
    None
}

fn empty(head: &[u8]) -> Option<Foreign> {
    if head.is_empty() {
        let help = "Copy the image to the server again: the file there has no bytes.";
        return Some(Foreign { name: "empty", help });
    }
    head.iter().all(|byte| *byte == 0).then_some(Foreign {
        name: "only zeros at its start",
        help: "Copy the image again: the file or disk was created but never written, or the image does not start at its first byte.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_known_wherever_they_stand() {
        let at = |offset: usize, mark: &[u8]| {
            let mut head = vec![b'x'; offset];
            head.extend_from_slice(mark);
            head.resize(1024, 7);
            recognize(&head).map(|found| found.name)
        };
        for (offset, mark, name) in [
            (0, &b"\x1f\x8b\x08"[..], "a file compressed with gzip"),
            (257, b"ustar\0", "a tar archive"),
            (257, b"ustar  ", "a tar archive"),
            (0, b"070701", "a cpio archive (an initramfs, most likely)"),
            (0, b"  \n<!DOCTYPE html>", "a web page"),
            (0, b"<HTML>", "a web page"),
            (0, b"<?xml version=\"1.0\"?><Error>", "a message from a server"),
            (0x202, b"HdrS", "a Linux kernel"),
        ] {
            assert_eq!(at(offset, mark), Some(name), "{mark:?}");
        }
        assert_eq!(at(0, b"nothing that is known"), None);
        assert_eq!(recognize(b"").map(|found| found.name), Some("empty"));
        assert_eq!(recognize(b"\x1f").map(|found| found.name), None);
    }
}
