//! SELinux labels, in the xattr `security.selinux`. The kernel labels new files according to the policy, which the OS
//! loads only after the boot. Until then new files have no label, and an OS in enforcing mode could not use them. So
//! each new file gets the label of the file that it replaces or covers, else that of its directory, which is also what
//! most policies do.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{XattrFlags, fsetxattr, lgetxattr, lsetxattr};
use rustix::io::Errno;

const NAME: &CStr = c"security.selinux";
/// A context consists of four short words (`user:role:type:range`).
const LONGEST: usize = 4096;

pub(super) struct Label(Vec<u8>);

/// The label of a file, without following a final symlink; `None` if it has none.
pub(super) fn of(path: &Path) -> Option<Label> {
    let mut value = vec![0; LONGEST];
    // On most systems there is no label, so all errors count as none.
    let length = lgetxattr(path, NAME, &mut *value).ok()?;
    value.truncate(length);
    Some(Label(value))
}

/// The label for a name in an open directory.
pub(super) fn for_name(folder: BorrowedFd<'_>, name: &CStr) -> Option<Label> {
    of(&place(folder, name)).or_else(|| of_folder(folder))
}

fn of_folder(folder: BorrowedFd<'_>) -> Option<Label> {
    of(&place(folder, c"."))
}

/// Gives a new file the label of its directory.
pub(super) fn inherit(folder: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
    put_path(&place(folder, name), of_folder(folder).as_ref())
}

/// Labels an open file.
pub(super) fn put(file: impl AsFd, label: Option<&Label>) -> rustix::io::Result<()> {
    let Some(Label(value)) = label else { return Ok(()) };
    tolerate(fsetxattr(file, NAME, value, XattrFlags::empty()))
}

/// Labels the root of a mount that is not attached yet (`O_PATH` handles have no xattr calls of their own).
pub(super) fn put_top(mount: &OwnedFd, label: Option<&Label>) -> rustix::io::Result<()> {
    put_path(&place(mount.as_fd(), c"."), label)
}

/// Labels the file at a path.
pub(super) fn put_path(path: &Path, label: Option<&Label>) -> rustix::io::Result<()> {
    let Some(Label(value)) = label else { return Ok(()) };
    tolerate(lsetxattr(path, NAME, value, XattrFlags::empty()))
}

/// Ignores the error of a file system without labels, such as FAT. The policy labels it as a whole.
fn tolerate(done: rustix::io::Result<()>) -> rustix::io::Result<()> {
    if done == Err(Errno::OPNOTSUPP) { Ok(()) } else { done }
}

fn place(folder: BorrowedFd<'_>, name: &CStr) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(name.to_bytes());
    Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name)
}
