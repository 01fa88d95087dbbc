//! Finds the layers of an image that are on a disk or in the initramfs. They are not copied.

use std::path::Path;
use std::time::Duration;

use dayfly_formats::superblock::{Kind, Superblock};
use dayfly_plan::settings::value::DeviceRef;
use dayfly_plan::{Code, Layer, LayerSource};
use dayfly_sys::{Backing, FileKind, own};

use super::{inside, mount_at, padded, refusal};
use crate::context::{Context, Done};
use crate::devices::{self, Device};
use crate::trees::MEDIA;
use crate::{Failure, LayerFile, Learned};

/// Finds the layers that are used where they are.
pub fn find(cx: &Context, layers: &[Layer]) -> Result<Done, Failure> {
    let (mut details, mut done) = (Vec::new(), Done::default());
    let is_file_on_disk = |layer: &&Layer| matches!(layer.source, LayerSource::Disk { file: Some(_), .. });
    if layers.iter().filter(is_file_on_disk).count() > 1 {
        let wrong = "several layers are files on disks, and only one such disk can be mounted";
        return Err(Failure::new(Code::ImageFormat, "find the layers of the image", wrong));
    }
    for (place, layer) in layers.iter().enumerate() {
        let (file, detail) = match &layer.source {
            LayerSource::Servers(_) | LayerSource::Manifest => continue,
            LayerSource::Disk { device, file, wait } => on_disk(cx, device, file.as_deref(), *wait)?,
            LayerSource::File(path) => of_initramfs(cx, Path::new(path))?,
            LayerSource::Awaited => return Err(missing()),
        };
        if let LayerSource::File(_) = layer.source {
            done.bytes = Some(done.bytes.unwrap_or_default() + file.bytes);
        }
        details.push(detail);
        done = done.and(Learned::Layer(place, file));
    }
    Ok(Done { detail: details.join("; "), ..done })
}

/// All settings have been read by now, and none of them names an image.
fn missing() -> Failure {
    let wrong = "No OS image is named: neither root= on the kernel command line nor image.url in any settings that were read.";
    Failure::new(Code::ConfigNoImage, "find the OS image", wrong)
}

/// The disk itself, or a file on it.
fn on_disk(
    cx: &Context,
    device: &DeviceRef,
    file: Option<&str>,
    wait: Duration,
) -> Result<(LayerFile, String), Failure> {
    let found = devices::wait_for(cx, device, wait)?;
    let on = found.path.display().to_string();
    let tried = format!("find an image on {device} ({on})");
    let Some(superblock) = &found.superblock else {
        return Err(refusal::of_disk(cx, &found.path, tried));
    };
    let is_image = is_image(superblock);
    let (path, bytes) = match file {
        // Without `live:` the disk is the root itself, whatever its file system. With it, an image may also be written
        // directly to the disk.
        None => (own(&found.path), file_len(cx, &found)),
        Some(_) if is_image => (own(&found.path), file_len(cx, &found)),
        Some(file) => {
            mount_media(cx, &found.path, superblock, &tried)?;
            match inside::image_file(cx, &MEDIA.top(), file) {
                Ok(Some((path, bytes))) => (path, bytes),
                Ok(None) => {
                    let wrong = format!(
                        "the {} on it does not contain a {}",
                        superblock.kind.as_str(),
                        inside::names(file)
                    );
                    return Err(Failure::new(Code::ImageFormat, tried, wrong).with_fix(inside::PUT_IT_THERE));
                }
                Err(error) => return Err(Failure::from_sys(Code::ImageFormat, tried, &error)),
            }
        }
    };
    let detail = format!("{path} on {on}");
    let backing = Backing::Path(path);
    Ok((LayerFile { backing, bytes, sha256: None, origin: device.to_string() }, detail))
}

/// An image file in the initramfs. The loop device keeps it open after the initramfs is deleted.
fn of_initramfs(cx: &Context, path: &Path) -> Result<(LayerFile, String), Failure> {
    let tried = format!("use {} of the initramfs as the image", path.display());
    match cx.sys.inspect(&own(path)) {
        Ok(Some(FileKind::File(bytes))) => {
            let (backing, origin) = (Backing::Path(own(path)), path.display().to_string());
            Ok((LayerFile { backing, bytes, sha256: None, origin: origin.clone() }, origin))
        }
        Ok(_) => Err(Failure::new(Code::ImageFormat, tried, "the initramfs has no such file")
            .with_fix("Put it there: `dayfly initramfs --add-file IMAGE:/path`, or append a second cpio archive to the initramfs.")
            ),
        Err(error) => Err(Failure::from_sys(Code::ImageFormat, tried, &error)),
    }
}

/// The length of the image file that was written to a disk. mksquashfs(1) pads the file to 4 KiB, so the hash of the
/// file includes the padding. If the partition is shorter than the padded length, the file was not padded.
fn file_len(cx: &Context, device: &Device) -> u64 {
    let padded = device.image_len.unwrap_or(0).next_multiple_of(4096);
    padded::device_size(cx, &device.path).map_or(padded, |there| padded.min(there))
}

fn is_image(superblock: &Superblock) -> bool {
    matches!(superblock.kind, Kind::Squashfs | Kind::Erofs)
}

fn mount_media(cx: &Context, device: &Path, superblock: &Superblock, tried: &str) -> Result<(), Failure> {
    devices::load_modules(cx, superblock.kind)?;
    mount_at(cx, device, superblock.kind, &MEDIA.place())
        .map_err(|error| devices::refused(Code::ImageMount, tried, superblock.kind, &error))
}
