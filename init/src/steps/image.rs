//! Finds an image on a disk; mounts an image wherever it is.

use std::path::{Path, PathBuf};

use dayfly_plan::settings::value::DeviceRef;
use dayfly_plan::{Code, paths};
use dayfly_sys::{Backing, FileKind, Mount, MountFlags, Sys};
use dayfly_wire::superblock::{self, Superblock};

use crate::context::{Context, Done};
use crate::devices::{self, Device};
use crate::{Failure, Image, Learned};

const READ_ONLY: MountFlags =
    MountFlags { read_only: true, nodev: false, nosuid: false, noexec: false, noatime: false };

/// Every place that could name an image has been read by now.
pub fn missing() -> Result<Done, Failure> {
    let wrong = "No OS image is named: neither root= on the kernel command line nor image.url in any settings that were read.";
    Err(Failure::new(Code::ConfigNoImage, "find the OS image", wrong).hopeless())
}

/// Finds the image: the disk itself, or a file on it.
pub fn find<S: Sys>(cx: &Context<S>, device: &DeviceRef, file: Option<&str>) -> Result<Done, Failure> {
    let found = devices::wait_for(cx, device, cx.left().saturating_sub(std::time::Duration::from_secs(5)))?;
    let on = found.path.display().to_string();
    let tried = format!("find an image on {device} ({on})");
    let Some(superblock) = &found.superblock else {
        return Err(Failure::new(Code::ImageFormat, tried, "no file system is recognised on it").hopeless());
    };
    let is_image = is_image(superblock);
    let (path, bytes) = match file {
        // Without live: the disk is the root, whatever its file system; with it, an image is an image too.
        None => (found.path.clone(), file_len(&found)),
        Some(_) if is_image => (found.path.clone(), file_len(&found)),
        Some(file) => {
            mount_media(cx, &found.path, superblock, &tried)?;
            let path = PathBuf::from(paths::MEDIA).join(file);
            match cx.sys.inspect(&path) {
                Ok(Some(FileKind::File(bytes))) => (path, bytes),
                Ok(_) => {
                    let wrong = format!("the {} on it has no file {file}", superblock.kind.as_str());
                    return Err(Failure::new(Code::ImageFormat, tried, wrong).with_fix(
                        "Put the image there, or name its place with rd.live.dir= and rd.live.squashimg=.",
                    ));
                }
                Err(error) => return Err(Failure::from_sys(Code::ImageFormat, tried, &error)),
            }
        }
    };
    let detail = format!("{} on {on}", path.display());
    let image = Image { backing: Backing::Path(path), bytes, sha256: None, origin: device.to_string() };
    Ok(Done::with(detail).and(Learned::Image(image)))
}

/// Takes a file of the initramfs: the loop device keeps it after the initramfs is emptied.
pub fn take<S: Sys>(cx: &Context<S>, path: &Path) -> Result<Done, Failure> {
    let tried = format!("take {} of the initramfs as the image", path.display());
    match cx.sys.inspect(path) {
        Ok(Some(FileKind::File(bytes))) => {
            let backing = Backing::Path(path.to_owned());
            let image = Image { backing, bytes, sha256: None, origin: path.display().to_string() };
            Ok(Done { bytes: Some(bytes), ..Done::with(path.display().to_string()) }.and(Learned::Image(image)))
        }
        Ok(_) => Err(Failure::new(Code::ImageFormat, tried, "the initramfs has no such file")
            .with_fix("Put it there: `dayfly initramfs --add-file IMAGE:/path`, or a second cpio archive behind the first.")
            .hopeless()),
        Err(error) => Err(Failure::from_sys(Code::ImageFormat, tried, &error)),
    }
}

/// The length of the image file that was written to a disk: mksquashfs(1) pads to 4 KiB, and so the sum of the file
/// that was made has the padding in it.
fn file_len(device: &Device) -> u64 {
    device.image_len.unwrap_or(0).next_multiple_of(4096)
}

fn is_image(superblock: &Superblock) -> bool {
    matches!(superblock.kind.as_str(), "squashfs" | "erofs")
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

fn mount_media<S: Sys>(
    cx: &Context<S>,
    device: &Path,
    superblock: &Superblock,
    tried: &str,
) -> Result<(), Failure> {
    let fstype = superblock.kind.as_str();
    cx.modules.load(fstype)?;
    let target = PathBuf::from(paths::MEDIA);
    let mount = Mount::New {
        fstype: fstype.to_owned(),
        source: device.display().to_string(),
        target: target.clone(),
        options: untouched(fstype),
        flags: READ_ONLY,
    };
    cx.sys
        .make_dir(&target, 0o755)
        .and_then(|()| cx.sys.mount(&mount))
        .map_err(|error| Failure::from_sys(Code::ImageMount, tried, &error))
}

/// Mounts the image read-only at the lower layer's place.
pub fn mount<S: Sys>(cx: &Context<S>) -> Result<Done, Failure> {
    let Some(image) = &cx.known.image else {
        return Err(Failure::new(Code::ImageMount, "mount the image", "there is no image"));
    };
    let tried = format!("mount the image ({})", image.origin);
    let path = image.backing.path();
    let is_block = matches!(cx.sys.inspect(&path), Ok(Some(FileKind::Block)));
    let head = cx
        .sys
        .read_at(&path, 0, superblock::PROBE_LEN)
        .map_err(|error| Failure::from_sys(Code::ImageFormat, &tried, &error))?;
    let Some(superblock) = superblock::probe(&head) else {
        let wrong = format!("it starts with {}, which no file system does", preview(&head));
        return Err(Failure::new(Code::ImageFormat, tried, wrong).hopeless());
    };
    if is_image(&superblock)
        && !is_block
        && let Some(need) = superblock::image_len(&head)
        && need > image.bytes
    {
        let wrong =
            format!("its superblock says {need} bytes, but it has only {}: it was cut short", image.bytes);
        return Err(Failure::new(Code::ImageFormat, tried, wrong).hopeless());
    }
    let fstype = superblock.kind.as_str();
    cx.modules.load(fstype)?;
    let device = if is_block {
        path
    } else {
        cx.sys
            .attach_loop(&image.backing)
            .map_err(|error| Failure::from_sys(Code::ImageAttach, &tried, &error))?
    };
    let mount = Mount::New {
        fstype: fstype.to_owned(),
        source: device.display().to_string(),
        target: PathBuf::from(paths::LOWER),
        options: untouched(fstype),
        flags: READ_ONLY,
    };
    cx.sys
        .make_dir(Path::new(paths::LOWER), 0o755)
        .and_then(|()| cx.sys.mount(&mount))
        .map_err(|error| Failure::from_sys(Code::ImageMount, &tried, &error).hopeless())?;
    Ok(Done::with(format!("{fstype} on {}", device.display())))
}

/// The first bytes, as text where they are text: a server's error page is known by its first line.
fn preview(head: &[u8]) -> String {
    let start = head.get(..32).unwrap_or(head);
    if start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        format!("{:?}", String::from_utf8_lossy(start))
    } else {
        let hex: Vec<String> = start.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("the bytes {}", hex.join(" "))
    }
}
