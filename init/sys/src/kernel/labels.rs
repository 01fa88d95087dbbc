//! Labels of SELinux, in the xattr `security.selinux`. The kernel labels what is made by its policy, which the OS loads only
//! after the boot: until then what is made has no label, and an OS that enforces its policy could not use it. So it gets
//! the label of what it replaces or covers, else that of its folder, which is what most of a policy says as well.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{XattrFlags, fsetxattr, lgetxattr, lsetxattr};
use rustix::io::Errno;

const NAME: &CStr = c"security.selinux";
/// A context is four short words (`user:role:type:range`).
const LONGEST: usize = 4096;

pub(super) struct Label(Vec<u8>);

/// The label of a path, which is not followed at its end; `None` where there is none.
pub(super) fn of(path: &Path) -> Option<Label> {
    let mut value = vec![0; LONGEST];
    // No file, no label, no xattrs at all: each is the usual case on most systems.
    let length = lgetxattr(path, NAME, &mut *value).ok()?;
    value.truncate(length);
    Some(Label(value))
}

/// The label that is right for a name in an open folder.
pub(super) fn for_name(folder: BorrowedFd<'_>, name: &CStr) -> Option<Label> {
    of(&place(folder, name)).or_else(|| of_folder(folder))
}

fn of_folder(folder: BorrowedFd<'_>) -> Option<Label> {
    of(&place(folder, c"."))
}

/// Labels what was just made in a folder as the folder is.
pub(super) fn inherit(folder: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
    put_path(&place(folder, name), of_folder(folder).as_ref())
}

/// Labels an open file.
pub(super) fn put(file: impl AsFd, label: Option<&Label>) -> rustix::io::Result<()> {
    let Some(Label(value)) = label else { return Ok(()) };
    tolerate(fsetxattr(file, NAME, value, XattrFlags::empty()))
}

/// Labels the top of a mount that is not in its place yet (`O_PATH` handles have no xattr calls of their own).
pub(super) fn put_top(mount: &OwnedFd, label: Option<&Label>) -> rustix::io::Result<()> {
    put_path(&place(mount.as_fd(), c"."), label)
}

/// Labels what is at a path.
pub(super) fn put_path(path: &Path, label: Option<&Label>) -> rustix::io::Result<()> {
    let Some(Label(value)) = label else { return Ok(()) };
    tolerate(lsetxattr(path, NAME, value, XattrFlags::empty()))
}

/// A file system without labels, as a FAT one, gets its label as a whole from the policy.
fn tolerate(done: rustix::io::Result<()>) -> rustix::io::Result<()> {
    if done == Err(Errno::OPNOTSUPP) { Ok(()) } else { done }
}

fn place(folder: BorrowedFd<'_>, name: &CStr) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(name.to_bytes());
    Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name)
}
