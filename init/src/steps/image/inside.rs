//! Finds an image inside another one: a squashfs on an ISO, a file system in the squashfs of a live image. The names
//! are those of dracut's dmsquash-live and of the live systems of distributions.

use dayfly_formats::superblock::Kind;
use dayfly_plan::Code;
use dayfly_sys::{FileKind, SysError, TreePath};

use crate::Failure;
use crate::context::Context;

/// The default of the setting.
const DEFAULT: &str = "LiveOS/squashfs.img";
/// Other common names of the image on a disk, used if the settings name none.
const ON_DISK: [&str; 6] = [
    "LiveOS/rootfs.img",
    "LiveOS/ext3fs.img",
    "live/filesystem.squashfs",
    "casper/filesystem.squashfs",
    "arch/x86_64/airootfs.sfs",
    "arch/x86_64/airootfs.erofs",
];
/// The file system image in the squashfs of Fedora's live images.
const IN_SQUASHFS: [&str; 2] = ["LiveOS/rootfs.img", "LiveOS/ext3fs.img"];

/// The fix if there is none.
pub const PUT_IT_THERE: &str =
    "Put the image there, or set its path with rd.live.dir= and rd.live.squashimg=.";

/// Why the image inside another one cannot be used.
pub enum Wrong {
    /// A system call failed.
    Sys(SysError),
    /// It does not exist.
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

/// Returns the image file on a mounted disk and its length: the file that the settings name, or one with a usual name.
pub fn image_file(cx: &Context, media: &TreePath, named: &str) -> Result<Option<(TreePath, u64)>, SysError> {
    for name in candidates(named) {
        if let Some(FileKind::File(bytes)) = look(cx, &media.join(name))? {
            return Ok(Some((media.join(name), bytes)));
        }
    }
    Ok(None)
}

/// The names that were tried, for messages.
pub fn names(named: &str) -> String {
    let all: Vec<&str> = candidates(named).collect();
    match all.as_slice() {
        [one] => format!("file {one}"),
        several => format!("file with one of these names: {}", several.join(", ")),
    }
}

fn candidates(named: &str) -> impl Iterator<Item = &str> {
    let others: &[&str] = if named == DEFAULT { &ON_DISK } else { &[] };
    std::iter::once(named).chain(others.iter().copied())
}

/// The file system mounted at `place` may only be a container for another one. Returns that file and its length; `None`
/// if it is the OS itself.
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
                return Err(Wrong::Missing(format!("the ISO does not contain a {}", names(named))));
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
