//! A file-system context (fsopen(2)) and the log that the kernel keeps in it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};

use crate::{Cause, Result, SysError};

/// The longest string that fsconfig(2) takes (fs/fsopen.c copies at most 256 bytes, the NUL included).
pub(super) const STRING_LIMIT: usize = 255;

/// A mount that is being configured. Every error includes the kernel's log about it.
pub(super) struct Context {
    fd: OwnedFd,
    operation: String,
    subject: String,
}

impl Context {
    /// Starts a mount; `None` if the kernel has no fsopen(2) (before 5.2).
    pub(super) fn open(fstype: &str, operation: String, subject: String) -> Result<Option<Self>> {
        match fsopen(fstype, FsOpenFlags::FSOPEN_CLOEXEC) {
            Ok(fd) => Ok(Some(Self { fd, operation, subject })),
            Err(Errno::NOSYS) => Ok(None),
            Err(Errno::NODEV) => {
                let words = format!(
                    "the kernel does not support {fstype}: its module is not loaded, or not in the initramfs"
                );
                Err(SysError::new(operation, subject, Cause::Errno(libc::ENODEV), words))
            }
            Err(errno) => Err(SysError::from_io(operation, subject, &errno.into())),
        }
    }

    /// Sets an option that has no value.
    pub(super) fn set_flag(&self, key: &str) -> Result<()> {
        fsconfig_set_flag(self.fd.as_fd(), key)
            .map_err(|errno| self.failed(errno, &format!("option {key:?}")))
    }

    /// Sets an option.
    pub(super) fn set_string(&self, key: &str, value: &str) -> Result<()> {
        if value.len() > STRING_LIMIT {
            let words = format!(
                "option {key:?} has {} bytes, but the kernel accepts at most {STRING_LIMIT} in one string; use shorter paths",
                value.len()
            );
            return Err(SysError::new(
                &*self.operation,
                &*self.subject,
                Cause::Errno(libc::ENAMETOOLONG),
                words,
            ));
        }
        fsconfig_set_string(self.fd.as_fd(), key, value)
            .map_err(|errno| self.failed(errno, &format!("option {key:?} = {value:?}")))
    }

    /// Creates the superblock and a detached mount of it.
    pub(super) fn create(self, attributes: MountAttrFlags) -> Result<OwnedFd> {
        fsconfig_create(self.fd.as_fd()).map_err(|errno| self.failed(errno, ""))?;
        fsmount(self.fd.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
            .map_err(|errno| self.failed(errno, ""))
    }

    fn failed(&self, errno: Errno, detail: &str) -> SysError {
        let mut error = SysError::from_io(&*self.operation, &*self.subject, &errno.into());
        if !detail.is_empty() {
            error.words = format!("{} at {detail}", error.words);
        }
        error.kernel_log = self.log();
        error
    }

    /// The kernel's log messages so far. Each read(2) removes one message, and fails with `ENODATA` at the end.
    fn log(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut buffer = [0; 1024];
        // The kernel keeps eight messages. The limit guards against a kernel that never returns ENODATA.
        while lines.len() < 64 {
            match rustix::io::read(self.fd.as_fd(), &mut buffer[..]) {
                Ok(count) if count > 0 => lines.push(line(buffer.get(..count).unwrap_or_default())),
                Err(Errno::INTR) => {}
                _ => break,
            }
        }
        lines
    }
}

/// A message without its prefix: `e `, `w ` or `i ` for error, warning, information.
fn line(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let text = text.trim_end();
    match text.split_at_checked(2) {
        Some(("e ", rest)) => rest.to_owned(),
        Some(("w ", rest)) => format!("warning: {rest}"),
        Some(("i ", rest)) => format!("info: {rest}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_loses_its_letter_and_keeps_its_level() {
        for (message, expected) in [
            (&b"e overlay: No changes allowed\n"[..], "overlay: No changes allowed"),
            (b"w deprecated", "warning: deprecated"),
            (b"i done\n", "info: done"),
            (b"no prefix", "no prefix"),
            (b"e", "e"),
            (b"", ""),
            (b"e \xff\xfe", "\u{fffd}\u{fffd}"),
            ("é!".as_bytes(), "é!"),
        ] {
            assert_eq!(line(message), expected);
        }
    }
}
