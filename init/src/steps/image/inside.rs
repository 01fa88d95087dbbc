//! An image inside another one: the squashfs of an ISO, the file system in the squashfs of a live image. The names are those
//! that dracut's dmsquash-live and the live systems of distributions have.

use dayfly_formats::superblock::Kind;
use dayfly_plan::Code;
use dayfly_sys::{FileKind, SysError, TreePath};

use crate::Failure;
use crate::context::Context;

/// The name that stands in the settings unless somebody changes it.
const DEFAULT: &str = "LiveOS/squashfs.img";
/// What else a disk or disc may call its image, where nobody has named one.
const ON_DISK: [&str; 6] = [
    "LiveOS/rootfs.img",
    "LiveOS/ext3fs.img",
    "live/filesystem.squashfs",
    "casper/filesystem.squashfs",
    "arch/x86_64/airootfs.sfs",
    "arch/x86_64/airootfs.erofs",
];
/// A file system of another kind in a squashfs, as Fedora's live images have it.
const IN_SQUASHFS: [&str; 2] = ["LiveOS/rootfs.img", "LiveOS/ext3fs.img"];

/// What to do where there is none.
pub const PUT_IT_THERE: &str =
    "Put the image there, or name its place with rd.live.dir= and rd.live.squashimg=.";

/// Why an image inside another one is not to be had.
pub enum Wrong {
    /// The machine's words.
    Sys(SysError),
    /// It has none.
    Missing(String),
}

impl Wrong {
    pub fn into_failure(self, tried: &str) -> Failure {
        match self {
            Self::Sys(error) => Failure::from_sys(Code::ImageFormat, tried, &error),
            Self::Missing(wrong) => Failure::new(Code::ImageFormat, tried, wrong).with_fix(PUT_IT_THERE),
        }
    }
}

/// The image file on a disk that is mounted: the one that was named, or one of the usual ones; and its length.
pub fn image_file(cx: &Context, media: &TreePath, named: &str) -> Result<Option<(TreePath, u64)>, SysError> {
    for name in candidates(named) {
        if let Some(FileKind::File(bytes)) = look(cx, &media.join(name))? {
            return Ok(Some((media.join(name), bytes)));
        }
    }
    Ok(None)
}

/// The names that were looked for.
pub fn names(named: &str) -> String {
    let all: Vec<&str> = candidates(named).collect();
    match all.as_slice() {
        [one] => format!("file {one}"),
        several => format!("file of these: {}", several.join(", ")),
    }
}

fn candidates(named: &str) -> impl Iterator<Item = &str> {
    let others: &[&str] = if named == DEFAULT { &ON_DISK } else { &[] };
    std::iter::once(named).chain(others.iter().copied())
}

/// The file system that is mounted at `place` may be only what holds another one; its file, and its
/// length. `None` where it is the OS itself.
pub fn found(
    cx: &Context,
    place: &TreePath,
    kind: Kind,
    named: &str,
) -> Result<Option<(TreePath, u64)>, Wrong> {
    match kind {
        Kind::Iso9660 => {
            let file = image_file(cx, place, named).map_err(Wrong::Sys)?;
            let Some((path, bytes)) = file else {
                return Err(Wrong::Missing(format!("the ISO has no {}", names(named))));
            };
            Ok(Some((path, bytes)))
        }
        Kind::Squashfs | Kind::Erofs => {
            for name in IN_SQUASHFS {
                if let Some(FileKind::File(bytes)) = look(cx, &place.join(name)).map_err(Wrong::Sys)? {
                    return Ok(Some((place.join(name), bytes)));
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

fn look(cx: &Context, path: &TreePath) -> Result<Option<FileKind>, SysError> {
    match cx.sys.inspect(path) {
        Err(error) if error.is_not_found() => Ok(None),
        looked => looked,
    }
}
