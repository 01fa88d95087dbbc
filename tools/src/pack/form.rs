//! What a file or a folder is: an image, a tree, or an archive of one.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;

use anyhow::{Context, Result, bail};
use dayfly_formats::foreign;
use dayfly_formats::superblock::{Kind, PROBE_LEN, image_len, probe};

use super::archive;

/// The format of an image, by its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A squashfs.
    Squashfs,
    /// An erofs.
    Erofs,
    /// A tree in a folder.
    Folder,
    /// A folder as `skopeo copy … oci:FOLDER` writes it.
    Layout,
    /// An archive of a container, or of a tree.
    Tar,
    /// A format that Dayfly boots, but that is neither a tree nor made of one.
    Other(&'static str),
}

/// Recognizes a file by its bytes, a folder by its names.
pub fn recognize(path: &Path) -> Result<Form> {
    let meta = fs::metadata(path).with_context(|| match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("there is no image {}", path.display())
        }
        _ => format!("cannot look at {}", path.display()),
    })?;
    if meta.is_dir() {
        return folder(path);
    }
    let head = head(path)?;
    if let Some(form) = form(&head) {
        return Ok(form);
    }
    if head.is_empty() {
        bail!("{} is empty", path.display());
    }
    if archive::is_tar(path)? {
        return Ok(Form::Tar);
    }
    match foreign::recognize(&head) {
        Some(foreign) => bail!("{} is {}. {}", path.display(), foreign.name, foreign.help),
        None => bail!(
            "{} {}: expected a squashfs, an erofs, a root folder, an OCI or docker archive, a disk or a file system image",
            path.display(),
            if is_text(&head) { "is a text" } else { "has an unknown format" }
        ),
    }
}

/// Whether the first bytes are those of a text in UTF-8, of which the last character may be cut.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace())
}

/// The format by the first bytes; `None` for what may be an archive.
fn form(head: &[u8]) -> Option<Form> {
    match probe(head).map(|superblock| superblock.kind) {
        Some(Kind::Squashfs) => Some(Form::Squashfs),
        Some(Kind::Erofs) => Some(Form::Erofs),
        Some(Kind::Ext2 | Kind::Ext3 | Kind::Ext4 | Kind::Xfs | Kind::Btrfs | Kind::F2fs) => {
            Some(Form::Other("a writable file system's image"))
        }
        Some(Kind::Iso9660) => Some(Form::Other("an ISO")),
        None if head.get(510..512) == Some(&[0x55, 0xAA])
            && head.get(0x202..0x206).is_none_or(|mark| mark != b"HdrS") =>
        {
            Some(Form::Other("a disk"))
        }
        _ => None,
    }
}

/// Recognizes what lies on top of other layers: a folder may then have any contents.
pub fn recognize_upper(path: &Path) -> Result<Form> {
    if !path.is_dir() || archive::is_layout(path) {
        return recognize(path);
    }
    let mut entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    match entries.next() {
        Some(_) => Ok(Form::Folder),
        None => bail!("{} is an empty folder", path.display()),
    }
}

fn folder(path: &Path) -> Result<Form> {
    if archive::is_layout(path) {
        return Ok(Form::Layout);
    }
    // A folder without permission seems to have nothing in it.
    fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    // Links of the tree may be absolute, so do not follow them.
    let has = |name: &str| fs::symlink_metadata(path.join(name)).is_ok();
    if has("usr") && (has("etc") || has("sbin") || has("bin")) {
        return Ok(Form::Folder);
    }
    bail!(
        "{} is no root folder of an OS: it has no usr and etc. Give the folder that debootstrap, dnf --installroot or \
         the like created, or an image file",
        path.display()
    )
}

/// The start of a file, as much as a superblock needs.
pub fn head(path: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(PROBE_LEN as u64).read_to_end(&mut head))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(head)
}

/// Refuses an image that is shorter than its superblock says, for example because it is still being copied. Returns the length in
/// the superblock, if it is one of a squashfs or an erofs.
pub fn check_length(path: &Path) -> Result<Option<u64>> {
    // The metadata of a disk has no length.
    let length = File::open(path)
        .and_then(|mut file| file.seek(io::SeekFrom::End(0)))
        .with_context(|| format!("cannot read {}", path.display()))?;
    let wanted = image_len(&head(path)?);
    if let Some(wanted) = wanted.filter(|wanted| *wanted > length) {
        bail!(
            "{} has {length} bytes, but its superblock says {wanted}: it is truncated, or still being written",
            path.display()
        );
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: usize, magic: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; offset];
        bytes.extend_from_slice(magic);
        bytes.resize(PROBE_LEN, 0);
        bytes
    }

    fn squashfs() -> Vec<u8> {
        let mut bytes = at(0, b"hsqs");
        bytes[28..30].copy_from_slice(&4_u16.to_le_bytes());
        bytes
    }

    #[test]
    fn files_are_known_by_their_bytes() {
        let mut kernel = at(0x202, b"HdrS");
        kernel[510..512].copy_from_slice(&[0x55, 0xAA]);
        for (bytes, expected) in [
            (squashfs(), Some(Form::Squashfs)),
            (at(0x438, b"\x53\xef"), Some(Form::Other("a writable file system's image"))),
            (at(510, &[0x55, 0xAA]), Some(Form::Other("a disk"))),
            (at(257, b"ustar"), None),
            (kernel, None),
            (Vec::new(), None),
        ] {
            assert_eq!(form(&bytes), expected, "{:?}", bytes.get(..4));
        }
    }

    #[test]
    fn files_and_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["root/usr", "root/etc", "layout", "empty"] {
            fs::create_dir_all(path(name)).expect("a folder");
        }
        let tar = || {
            let mut builder = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_old();
            header.set_size(0);
            builder.append_data(&mut header, "etc", std::io::empty()).expect("written");
            builder.into_inner().expect("written")
        };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &tar()).expect("written");
        for (name, bytes) in [
            ("layout/oci-layout", Vec::new()),
            ("layout/index.json", Vec::new()),
            ("os.tar", tar()),
            ("os.tar.gz", gzip.finish().expect("written")),
            ("os.tar.zst", zstd::encode_all(tar().as_slice(), 1).expect("written")),
            ("os.squashfs", squashfs()),
            ("os.qcow2", at(0, b"QFI\xfb")),
            ("vmlinuz", at(0x202, b"HdrS")),
            ("os.squashfs.gz", b"\x1f\x8bno".to_vec()),
            ("zeros", vec![0; 4096]),
        ] {
            fs::write(path(name), bytes).expect("a file");
        }
        for (name, expected) in [
            ("root", "Folder"),
            ("layout", "Layout"),
            ("os.tar", "Tar"),
            ("os.tar.gz", "Tar"),
            ("os.tar.zst", "Tar"),
            ("os.squashfs", "Squashfs"),
            ("os.qcow2", "qemu-img convert"),
            ("vmlinuz", "is a Linux kernel"),
            ("os.squashfs.gz", "gunzip"),
            ("empty", "no root folder of an OS"),
            ("missing", "there is no image"),
        ] {
            let said = match recognize(&path(name)) {
                Ok(form) => format!("{form:?}"),
                Err(error) => format!("{error:#}"),
            };
            assert!(said.contains(expected), "{name}: {said}");
        }
        assert!(recognize(&path("zeros")).is_err());
    }
}
