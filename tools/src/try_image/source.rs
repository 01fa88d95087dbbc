//! Recognizes the user's image and prepares the file to serve.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use dayfly_formats::foreign;
use dayfly_formats::superblock::{Kind, PROBE_LEN, image_len, probe};

use super::archive;
use super::layers::Tree;
use super::tool::{self, FSCK_EROFS, MKSQUASHFS, UNSQUASHFS};

/// The format of an image, by its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Squashfs,
    Erofs,
    /// A tree in a folder.
    Folder,
    /// A folder as `skopeo copy … oci:FOLDER` writes it.
    Layout,
    /// An archive of a container, or of a tree.
    Tar,
    /// A format that Dayfly boots, but in which this command cannot look for a kernel.
    Other(&'static str),
}

/// An image to serve.
#[derive(Debug)]
pub struct Image {
    /// The file.
    pub file: PathBuf,
    /// The folder in which to look for a kernel: the image's tree, or parts of it.
    pub tree: PathBuf,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Where inits are, relative to the root.
const INITS: &[&str] = &[
    "sbin/init",
    "usr/sbin/init",
    "usr/lib/systemd/systemd",
    "lib/systemd/systemd",
    "etc/init",
    "bin/init",
    "usr/bin/init",
    "init",
];

/// The parts to extract from an image file: kernels, modules, their configuration, and a program that shows the machine.
const PARTS: &[&str] = &[
    "boot/vmlinuz*",
    "usr/lib/modules",
    "lib/modules",
    "etc/modprobe.d",
    "usr/lib/modprobe.d",
    "lib/modprobe.d",
    "usr/bin/sh",
    "usr/bin/dash",
    "usr/bin/bash",
    "bin/sh",
    "bin/busybox",
    "usr/bin/busybox",
];

/// Folders of a tree over which a node mounts its own. Their contents belong to the machine that the tree was made on.
const COVERED: &[&str] = &["proc/*", "sys/*", "dev/*", "run/*"];

/// Makes an image of `path` if it is not one. `work` takes the new files.
pub fn prepare(path: &Path, work: &Path) -> Result<Image> {
    let form = recognize(path)?;
    let tree = work.join("tree");
    fs::create_dir_all(&tree).with_context(|| format!("cannot make {}", tree.display()))?;
    let mut notes = Vec::new();
    let made = work.join("image");
    let file = match form {
        Form::Squashfs | Form::Erofs => {
            check_length(path)?;
            path.to_owned()
        }
        Form::Other(name) => {
            notes.push(format!("the kernel is this host's: dayfly try cannot look for one in {name}"));
            path.to_owned()
        }
        Form::Folder => {
            pack_folder(path, &made, &mut notes)?;
            return Ok(Image { file: made, tree: path.to_owned(), notes });
        }
        Form::Layout => {
            pack_layers(&archive::layers_of_layout(path)?, &made, &mut notes)?;
            made
        }
        Form::Tar => {
            let blobs = work.join("blobs");
            fs::create_dir_all(&blobs).with_context(|| format!("cannot make {}", blobs.display()))?;
            pack_layers(&archive::layers(path, &blobs)?, &made, &mut notes)?;
            // They are as large as the archive and no longer needed.
            let _ = fs::remove_dir_all(&blobs);
            made
        }
    };
    let looked = match form {
        Form::Other(_) => Ok(()),
        Form::Erofs => look_into_erofs(&file, &tree),
        _ => look_into_squashfs(&file, &tree),
    };
    if let Err(error) = looked {
        notes.push(format!("cannot look for a kernel in the image: {error:#}"));
    }
    Ok(Image { file, tree, notes })
}

fn recognize(path: &Path) -> Result<Form> {
    let meta = fs::metadata(path).with_context(|| format!("there is no image {}", path.display()))?;
    if meta.is_dir() {
        return folder(path);
    }
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(PROBE_LEN as u64).read_to_end(&mut head))
        .with_context(|| format!("cannot read {}", path.display()))?;
    if let Some(form) = form(&head) {
        return Ok(form);
    }
    if archive::is_tar(path)? {
        return Ok(Form::Tar);
    }
    match foreign::recognize(&head) {
        Some(foreign) => bail!("{} is {}. {}", path.display(), foreign.name, foreign.help),
        None => bail!(
            "{} cannot boot: expected a squashfs, an erofs, a root folder, an OCI or docker archive, a disk or a file system image",
            path.display()
        ),
    }
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

fn folder(path: &Path) -> Result<Form> {
    if archive::is_layout(path) {
        return Ok(Form::Layout);
    }
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

fn check_length(path: &Path) -> Result<()> {
    let failed = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let length = file.seek(std::io::SeekFrom::End(0)).with_context(failed)?;
    let mut head = Vec::new();
    file.rewind().and_then(|()| file.take(PROBE_LEN as u64).read_to_end(&mut head)).with_context(failed)?;
    match image_len(&head) {
        Some(wanted) if wanted > length => bail!(
            "{} has {length} bytes, but its superblock says {wanted}: it is truncated, or still being written",
            path.display()
        ),
        _ => Ok(()),
    }
}

fn pack_folder(tree: &Path, to: &Path, notes: &mut Vec<String>) -> Result<()> {
    eprintln!("making a squashfs of {}", tree.display());
    let mut arguments: Vec<OsString> = vec![tree.into(), to.into()];
    arguments.extend(
        ["-comp", "zstd", "-Xcompression-level", "3", "-no-progress", "-noappend"].map(OsString::from),
    );
    if !rustix::process::geteuid().is_root() {
        notes.push(
            "you are not root, so every file of the image is owned by root; as root, or from a container's archive, owners are kept"
                .to_owned(),
        );
        // mksquashfs would pack an unreadable file as an empty one.
        arguments.extend(["-all-root", "-exit-on-error"].map(OsString::from));
    }
    arguments.extend(["-wildcards", "-e"].map(OsString::from));
    arguments.extend(COVERED.iter().map(OsString::from));
    let packed = MKSQUASHFS.call(arguments);
    let hint = "if only root can read some files of the folder, run this with sudo";
    if rustix::process::geteuid().is_root() { packed } else { packed.context(hint) }
}

/// mksquashfs reads the merged tree as a tar stream, so root is not needed.
fn pack_layers(layers: &[PathBuf], to: &Path, notes: &mut Vec<String>) -> Result<()> {
    eprintln!("making a squashfs of {} layers", layers.len());
    let open = |index: usize| archive::open(layers.get(index).context("no such layer")?);
    let tree = Tree::read(layers.len(), &open)?;
    if !tree.has(INITS) {
        notes.push(
            "the image seems to have no init, and a node needs one; in a Dockerfile of Debian: RUN apt-get update && apt-get install -y \
             systemd-sysv udev kmod, in one of Fedora: RUN dnf install -y systemd kmod, in one of Alpine: RUN apk add openrc kmod"
                .to_owned(),
        );
    }
    let program = MKSQUASHFS.find()?;
    let said = tempfile::tempfile().context("cannot make a temporary file")?;
    let output = said.try_clone().context("cannot share a file")?;
    let mut child = Command::new(&program)
        .arg("-")
        .arg(to)
        .args(["-tar", "-comp", "zstd", "-Xcompression-level", "3", "-no-progress", "-noappend", "-quiet"])
        .args(["-root-mode", "0755", "-root-uid", "0", "-root-gid", "0"])
        .stdin(Stdio::piped())
        .stdout(output.try_clone().context("cannot share a file")?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let stdin = child.stdin.take().context("mksquashfs has no input")?;
    let written = tree.write(layers.len(), &open, std::io::BufWriter::new(stdin));
    let status = child.wait().context("cannot wait for mksquashfs")?;
    if !status.success() {
        let mut text = String::new();
        let mut said = said;
        said.rewind().and_then(|()| said.read_to_string(&mut text)).context("cannot read a file")?;
        bail!(
            "mksquashfs failed ({status}); reading a tar stream needs squashfs-tools 4.5 or later:\n{}",
            tool::last_lines(&text)
        );
    }
    written.context("cannot read the archive's layers")
}

fn look_into_squashfs(image: &Path, to: &Path) -> Result<()> {
    let mut arguments: Vec<OsString> =
        ["-quiet", "-no-progress", "-no-xattrs", "-force", "-dest"].map(OsString::from).to_vec();
    arguments.extend([to.into(), image.into()]);
    arguments.extend(PARTS.iter().map(OsString::from));
    UNSQUASHFS.call(arguments)
}

/// fsck.erofs can only extract the whole image.
fn look_into_erofs(image: &Path, to: &Path) -> Result<()> {
    let mut extract = OsString::from("--extract=");
    extract.push(to);
    FSCK_EROFS.call([extract, "--overwrite".into(), "--no-preserve".into(), image.into()])
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
