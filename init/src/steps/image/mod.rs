//! Finds an image on a disk; mounts an image wherever it is.

pub mod defaults;
pub mod fetch;
mod hasher;
pub mod init;
mod inside;
pub mod mounted_root;
mod padded;
mod partition;
mod refusal;
pub mod verify;

use std::path::Path;

use dayfly_formats::superblock::{self, Kind, Superblock};
use dayfly_plan::settings::value::DeviceRef;
use dayfly_plan::{Code, Integrity};
use dayfly_sys::{Backing, FileKind, Mount, MountFlags, TreePath, own};

use crate::context::{Context, Done};
use crate::devices::{self, Device};
use crate::events::Level;
use crate::trees::{IMAGE, MEDIA, OUTER};
use crate::{Failure, Image, Learned};

const READ_ONLY: MountFlags =
    MountFlags { read_only: true, nodev: false, nosuid: false, noexec: false, noatime: false };

/// Every place that could name an image has been read by now.
pub fn missing() -> Result<Done, Failure> {
    let wrong = "No OS image is named: neither root= on the kernel command line nor image.url in any settings that were read.";
    Err(Failure::new(Code::ConfigNoImage, "find the OS image", wrong))
}

/// Finds the image: the disk itself, or a file on it.
pub fn find(cx: &Context, device: &DeviceRef, file: Option<&str>) -> Result<Done, Failure> {
    let found = devices::wait_for(cx, device, cx.left().saturating_sub(std::time::Duration::from_secs(5)))?;
    let on = found.path.display().to_string();
    let tried = format!("find an image on {device} ({on})");
    let Some(superblock) = &found.superblock else {
        return Err(refusal::of_disk(cx, &found.path, tried));
    };
    let is_image = is_image(superblock);
    let (path, bytes) = match file {
        // Without live: the disk is the root, whatever its file system; with it, an image is an image too.
        None => (own(&found.path), file_len(cx, &found)),
        Some(_) if is_image => (own(&found.path), file_len(cx, &found)),
        Some(file) => {
            mount_media(cx, &found.path, superblock, &tried)?;
            match inside::image_file(cx, &MEDIA.top(), file) {
                Ok(Some((path, bytes))) => (path, bytes),
                Ok(None) => {
                    let wrong =
                        format!("the {} on it has no {}", superblock.kind.as_str(), inside::names(file));
                    return Err(Failure::new(Code::ImageFormat, tried, wrong).with_fix(inside::PUT_IT_THERE));
                }
                Err(error) => return Err(Failure::from_sys(Code::ImageFormat, tried, &error)),
            }
        }
    };
    let detail = format!("{path} on {on}");
    let image = Image { backing: Backing::Path(path), bytes, sha256: None, origin: device.to_string() };
    Ok(Done::with(detail).and(Learned::Image(image)))
}

/// Takes a file of the initramfs: the loop device keeps it after the initramfs is emptied.
pub fn take(cx: &Context, path: &Path) -> Result<Done, Failure> {
    let tried = format!("take {} of the initramfs as the image", path.display());
    match cx.sys.inspect(&own(path)) {
        Ok(Some(FileKind::File(bytes))) => {
            let backing = Backing::Path(own(path));
            let image = Image { backing, bytes, sha256: None, origin: path.display().to_string() };
            Ok(Done { bytes: Some(bytes), ..Done::with(path.display().to_string()) }.and(Learned::Image(image)))
        }
        Ok(_) => Err(Failure::new(Code::ImageFormat, tried, "the initramfs has no such file")
            .with_fix("Put it there: `dayfly initramfs --add-file IMAGE:/path`, or a second cpio archive behind the first.")
            ),
        Err(error) => Err(Failure::from_sys(Code::ImageFormat, tried, &error)),
    }
}

/// The length of the image file that was written to a disk: mksquashfs(1) pads to 4 KiB, and so the sum of the file
/// that was made has the padding in it. A partition that is as long as the file of an image without has less.
fn file_len(cx: &Context, device: &Device) -> u64 {
    let padded = device.image_len.unwrap_or(0).next_multiple_of(4096);
    padded::device_size(cx, &device.path).map_or(padded, |there| padded.min(there))
}

fn is_image(superblock: &Superblock) -> bool {
    matches!(superblock.kind, Kind::Squashfs | Kind::Erofs)
}

/// A disk that holds an image is never written to: without these, the kernel replays a journal even for a read-only
/// mount (ext4(5), xfs(5), btrfs(5)).
pub(super) fn untouched(fstype: &str) -> Vec<(String, Option<String>)> {
    match fstype {
        "ext3" | "ext4" => vec![("noload".to_owned(), None)],
        "xfs" => vec![("norecovery".to_owned(), None)],
        "btrfs" => vec![("rescue".to_owned(), Some("nologreplay".to_owned()))],
        _ => Vec::new(),
    }
}

fn mount_media(cx: &Context, device: &Path, superblock: &Superblock, tried: &str) -> Result<(), Failure> {
    devices::load_modules(cx, superblock.kind)?;
    mount_at(cx, device, superblock.kind, &MEDIA.place())
        .map_err(|error| devices::refused(Code::ImageMount, tried, superblock.kind, &error))
}

fn mount_at(cx: &Context, device: &Path, kind: Kind, target: &TreePath) -> Result<(), dayfly_sys::SysError> {
    let fstype = kind.as_str();
    cx.sys.make_dir(target, 0o755)?;
    cx.sys.mount(&Mount::New {
        fstype: fstype.to_owned(),
        source: device.display().to_string(),
        target: target.clone(),
        options: untouched(fstype),
        flags: READ_ONLY,
    })
}

/// How many file systems may lie in each other: an ISO, a squashfs in it, an ext4 in that.
const DEEPEST: usize = OUTER.len() + 1;

/// Mounts the image read-only at the lower layer's place; `file` is the image's name where the image is a disk of its own.
pub fn mount(cx: &Context, file: &str, integrity: Integrity) -> Result<Done, Failure> {
    let decided = verify::decided(cx, integrity)?;
    let image = decided.image();
    let tried = format!("mount the image ({})", image.origin);
    let mut layer = Layer::of(cx, &image.backing, image.bytes, &tried)?;
    let mut said = layer.open(cx, &tried)?.said;
    let mut outer = OUTER.into_iter();
    loop {
        let Some((path, bytes)) = inside::found(cx, &IMAGE.top(), layer.superblock.kind, file)
            .map_err(|wrong| wrong.into_failure(&tried))?
        else {
            return Ok(Done::with(said));
        };
        // What holds the next one makes room for it, and stays mounted where the loop device reads from it.
        let Some(outer) = outer.next() else { break };
        let away = Mount::Move { source: IMAGE.place(), target: outer.place() };
        cx.sys
            .make_dir(&outer.place(), 0o755)
            .and_then(|()| cx.sys.mount(&away))
            .map_err(|error| Failure::from_sys(Code::ImageMount, &tried, &error))?;
        layer = Layer::of(cx, &Backing::Path(path.in_tree(outer)), bytes, &tried)?;
        let opened = layer.open(cx, &tried)?;
        // What a copy was taken from may be in memory as well, which the OS is to have.
        if opened.is_copy
            && let Err(error) = cx.sys.mount(&Mount::Unmount { target: outer.place(), lazy: false })
        {
            cx.note(Level::Warning, error.to_string());
        }
        said = format!("{} from {} in {said}", opened.said, path.inside().display());
    }
    let wrong = format!("there are more than {DEEPEST} file systems in each other: {said}");
    Err(Failure::new(Code::ImageFormat, tried, wrong))
}

/// A file system at the lower layer's place.
struct Opened {
    /// What is mounted where, for people.
    said: String,
    /// It was copied into memory, and needs nothing that it was in.
    is_copy: bool,
}

/// One file system on the way to the OS.
struct Layer {
    backing: Backing,
    bytes: u64,
    is_block: bool,
    head: Vec<u8>,
    superblock: Superblock,
}

impl Layer {
    /// Looks at what is there; of a whole disk, the partition of the root.
    fn of(cx: &Context, backing: &Backing, bytes: u64, tried: &str) -> Result<Self, Failure> {
        let path = backing.path();
        let head = cx
            .sys
            .read_at(&path, backing.offset(), superblock::PROBE_LEN)
            .map_err(|error| Failure::from_sys(Code::ImageFormat, tried, &error))?;
        let is_block = matches!(cx.sys.inspect(&path), Ok(Some(FileKind::Block)));
        match superblock::probe(&head) {
            Some(superblock) if superblock.kind.is_file_system() => {
                Ok(Self { backing: backing.clone(), bytes, is_block, head, superblock })
            }
            Some(superblock) => Err(refusal::of_member(superblock.kind, tried)),
            None => match partition::of_root(cx, backing, &head, tried)? {
                Some((part, bytes)) => Self::of(cx, &part, bytes, tried),
                None => Err(refusal::of_bytes(&head, tried)),
            },
        }
    }

    /// Mounts it at the lower layer's place.
    fn open(&self, cx: &Context, tried: &str) -> Result<Opened, Failure> {
        let kind = self.superblock.kind;
        let need = superblock::image_len(&self.head);
        if let Some(need) = need.filter(|need| !self.is_block && *need > self.bytes) {
            let wrong =
                format!("its superblock says {need} bytes, but it has only {}: it was cut short", self.bytes);
            return Err(Failure::new(Code::ImageFormat, tried, wrong));
        }
        let backing = padded::to_blocks(cx, &self.backing, self.is_block, self.bytes, need, tried)?;
        devices::load_modules(cx, kind)?;
        let device = match &backing {
            None if self.is_block => self.backing.path().outside(),
            backing => cx
                .sys
                .attach_loop(backing.as_ref().unwrap_or(&self.backing))
                .map_err(|error| Failure::from_sys(Code::ImageAttach, tried, &error))?,
        };
        mount_at(cx, &device, kind, &IMAGE.place())
            .map_err(|error| refusal::of_kernel(&cx.modules, kind, &self.head, tried, &error))?;
        Ok(Opened { said: format!("{} on {}", kind.as_str(), device.display()), is_copy: backing.is_some() })
    }
}
