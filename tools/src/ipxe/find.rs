//! Finds the kernel, the initramfs and the image in a folder.

use std::fs;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail};
use dayfly_formats::superblock::{Kind as FileSystem, probe};

use crate::pack::form::{check_length, head};

/// The magic numbers of gzip, zstd, lz4's legacy format (the kernel's), xz, bzip2 and lzop.
const COMPRESSED: [&[u8]; 6] =
    [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x02\x21\x4c\x18", b"\xfd7zXZ\0", b"BZh", b"\x89LZO"];

/// Paths inside the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts<K = String> {
    /// The kernel.
    pub kernel: K,
    /// The initramfs.
    pub initramfs: K,
    /// The OS image.
    pub image: Option<String>,
}

/// The kind of a file, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kernel,
    Initramfs,
    Image,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Kernel => "kernel",
            Kind::Initramfs => "initramfs",
            Kind::Image => "squashfs or erofs image",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Kind::Kernel => "--kernel",
            Kind::Initramfs => "--initramfs",
            Kind::Image => "--image",
        }
    }
}

/// The chosen parts; for each other part, the only file of its kind. Does not look for an image if the command line names one.
pub fn parts(folder: &Path, chosen: Parts<Option<String>>, has_image: bool) -> Result<Parts> {
    let mut known = Vec::new();
    for (name, path) in files(folder)? {
        if let Some(kind) = kind(&name, &head(&path)?) {
            known.push((name, kind));
        }
    }
    let pick = |kind: Kind, chosen: Option<String>| match chosen {
        Some(name) => inside(folder, &name, kind).map(|()| name),
        None => only(folder, &known, kind),
    };
    Ok(Parts {
        kernel: pick(Kind::Kernel, chosen.kernel)?,
        initramfs: pick(Kind::Initramfs, chosen.initramfs)?,
        image: if chosen.image.is_none() && has_image {
            None
        } else {
            Some(pick(Kind::Image, chosen.image)?)
        },
    })
}

/// The plain files directly in the folder, sorted.
fn files(folder: &Path) -> Result<Vec<(String, std::path::PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        // Skip a name that is not UTF-8, since no option can name it, and a link without a target.
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        if let (Some(name), true) = (name, path.is_file()) {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The x86 boot protocol's `HdrS`, arm64's and EFI's magic numbers (the kernel's Documentation/arch/*/boot*), cpio's `070701`, a
/// superblock. A compressed archive is taken for an initramfs if its name says so.
fn kind(name: &str, bytes: &[u8]) -> Option<Kind> {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let image = probe(bytes)
        .is_some_and(|superblock| matches!(superblock.kind, FileSystem::Squashfs | FileSystem::Erofs));
    if image {
        Some(Kind::Image)
    } else if at(0x202, b"HdrS") || at(0x38, b"ARM\x64") || at(0, b"MZ\0\0zimg") {
        Some(Kind::Kernel)
    } else if at(0, b"070701") || at(0, b"070702") {
        Some(Kind::Initramfs)
    } else if COMPRESSED.iter().any(|magic| at(0, magic)) {
        let says_so = ["init", ".img", ".cpio"].iter().any(|part| name.contains(part));
        says_so.then_some(Kind::Initramfs)
    } else {
        None
    }
}

fn only(folder: &Path, known: &[(String, Kind)], kind: Kind) -> Result<String> {
    let names: Vec<&str> =
        known.iter().filter(|(_, found)| *found == kind).map(|(name, _)| name.as_str()).collect();
    let (what, option, place) = (kind.name(), kind.option(), folder.display());
    match names[..] {
        [name] => Ok(name.to_owned()),
        [] => {
            let how = match kind {
                Kind::Kernel => "copy one there (/boot/vmlinuz-…)",
                Kind::Initramfs => "write one there with dayfly initramfs -o",
                Kind::Image => "put one there, or name another with --cmdline root=…",
            };
            bail!("there is no {what} in {place}: {how}, or name it with {option}")
        }
        _ => bail!(
            "{place} has {} files that are a {what}: {}; choose one with {option}",
            names.len(),
            names.join(", ")
        ),
    }
}

/// Checks that a chosen file exists, whatever its contents.
fn inside(folder: &Path, name: &str, kind: Kind) -> Result<()> {
    let option = kind.option();
    if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        bail!("{option} {name}: a path inside {} is expected, without ..", folder.display());
    }
    if !folder.join(name).is_file() {
        bail!("{option} {name}: there is no such file in {}", folder.display());
    }
    Ok(())
}

/// Refuses a file that is not an image, or that is incomplete, for example because it is still being copied.
pub fn check_image(path: &Path) -> Result<()> {
    if check_length(path)?.is_none() {
        bail!("{} is neither a squashfs nor an erofs image", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dayfly_formats::superblock::PROBE_LEN;

    use super::*;

    fn at(offset: usize, magic: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; offset];
        bytes.extend_from_slice(magic);
        bytes.resize(PROBE_LEN, 0);
        bytes
    }

    #[test]
    fn files_are_known_by_their_bytes() {
        let zstd = at(0, b"\x28\xb5\x2f\xfd");
        let table = [
            ("a", at(0x202, b"HdrS"), Some(Kind::Kernel)),
            ("a", at(0x38, b"ARM\x64"), Some(Kind::Kernel)),
            ("a", at(0, b"MZ\0\0zimg"), Some(Kind::Kernel)),
            ("a", at(0, b"070701"), Some(Kind::Initramfs)),
            ("initrd", zstd.clone(), Some(Kind::Initramfs)),
            ("x.img", at(0, b"\x02\x21\x4c\x18"), Some(Kind::Initramfs)),
            ("x.cpio.xz", at(0, b"\xfd7zXZ\0"), Some(Kind::Initramfs)),
            ("backup.tar.zst", zstd, None),
            ("boot.ipxe", at(0, b"#!ipxe\n"), None),
            ("x.img", at(0, b""), None),
            ("x.img", Vec::new(), None),
        ];
        for (name, bytes, expected) in table {
            assert_eq!(kind(name, &bytes), expected, "{name}: {:?}", bytes.get(..4));
        }
    }
}
