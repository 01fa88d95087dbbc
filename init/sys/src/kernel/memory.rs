//! The amount of memory, and files in memory.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
};

use super::Tried;
use crate::{Backing, Cause, Memory, RamFile, Result, SysError};

pub(super) fn parse(text: &str) -> Result<Memory> {
    let field = |name: &str| -> Result<u64> {
        text.lines()
            .find_map(|line| {
                line.strip_prefix(name)?.strip_prefix(':')?.trim().strip_suffix("kB")?.trim().parse().ok()
            })
            .map(|kib: u64| kib.saturating_mul(1024))
            .ok_or_else(|| {
                let words = format!("no line `{name}: <number> kB` in it");
                SysError::new("read the memory from", "/proc/meminfo", Cause::Protocol, words)
            })
    };
    Ok(Memory { total: field("MemTotal")?, available: field("MemAvailable")? })
}

/// An image in memory. No file system's size limits it, and a loop device can read it without a copy.
pub(super) struct File {
    name: String,
    fd: Arc<OwnedFd>,
}

impl File {
    pub(super) fn create(name: &str) -> Result<Self> {
        Ok(Self { name: name.to_owned(), fd: Arc::new(open(name)?) })
    }
}

/// Uses huge pages if the kernel supports them, because an image is large, written once and read often. Otherwise uses
/// a memfd.
fn open(name: &str) -> Result<OwnedFd> {
    if let Ok(file) = open_huge() {
        return Ok(file);
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // Before Linux 6.3.
        Err(Errno::INVAL) => memfd_create(name, flags),
        made => made,
    }
    .tried("create the memory file", name)
}

/// Opens an unnamed file on a detached tmpfs mount. It exists as long as it is open, and it cannot be opened a second
/// time. In kernels without huge pages, `huge=always` is an error (tmpfs(5)).
fn open_huge() -> std::result::Result<OwnedFd, Errno> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [("huge", "always"), ("size", "0"), ("mode", "0700")] {
        fsconfig_set_string(&context, key, value)?;
    }
    fsconfig_create(&context)?;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
    openat(&mount, ".", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::write(&*self.fd, bytes))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RamFile for File {
    /// The file is sealed from here on, so that it cannot change between verification and mount.
    fn backing(&self) -> Result<Backing> {
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        match fcntl_add_seals(&*self.fd, seals) {
            // Only a memfd has seals. The unnamed file has only this one descriptor, which ends with the boot.
            Err(Errno::PERM) => {}
            sealed => sealed.tried("seal the memory file", &self.name)?,
        }
        Ok(Backing::Memory(Arc::clone(&self.fd)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::FileExt;

    #[test]
    fn meminfo_is_read_in_bytes() {
        let text = "MemTotal:        2048000 kB\nMemFree: 1 kB\nMemAvailable:    1024 kB\n";
        assert_eq!(parse(text).unwrap(), Memory { total: 2_048_000 * 1024, available: 1024 * 1024 });
        for (text, missing) in [
            ("", "MemTotal"),
            ("MemTotal: 5 kB\n", "MemAvailable"),
            ("MemTotal: x kB\n", "MemTotal"),
            ("MemTotal: 5\n", "MemTotal"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("read the memory from /proc/meminfo: no line `{missing}: <number> kB` in it")
            );
        }
    }

    fn contents(file: &File) -> Vec<u8> {
        let mut file = std::fs::File::from(file.fd.try_clone().unwrap());
        let mut bytes = Vec::new();
        io::Seek::rewind(&mut file).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn its_path_leads_to_its_bytes() {
        let mut file = File::create("test").unwrap();
        file.write_all(b"an image").unwrap();
        let path = file.backing().unwrap().path();
        assert_eq!(std::fs::read(path.outside()).unwrap(), b"an image", "{path}");
    }

    #[test]
    fn a_memfd_is_sealed_when_it_is_handed_on() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File { name: "test".to_owned(), fd: Arc::new(memfd_create("test", flags).unwrap()) };
        file.write_all(b"verified").unwrap();
        let Backing::Memory(sealed) = file.backing().unwrap() else {
            panic!("a memory file is backed by memory")
        };
        let sealed = std::fs::File::from(sealed.try_clone().unwrap());
        assert_eq!(sealed.write_at(b"x", 0).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(file.write_all(b"more").is_err());
        assert_eq!(contents(&file), b"verified");
    }
}
