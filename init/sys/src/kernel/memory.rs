//! How much memory there is, and files in it.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

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

/// An image in a memfd: pages that no file system's size limits, and that a loop device can read without a copy.
pub(super) struct File {
    name: String,
    fd: Arc<OwnedFd>,
}

impl File {
    pub(super) fn create(name: &str) -> Result<Self> {
        Ok(Self { name: name.to_owned(), fd: Arc::new(open(name)?) })
    }
}

fn open(name: &str) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // Before Linux 6.3.
        Err(Errno::INVAL) => memfd_create(name, flags),
        made => made,
    }
    .tried("make the memory file", name)
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
    fn clear(&mut self) -> Result<()> {
        match rustix::fs::ftruncate(&*self.fd, 0) {
            Ok(()) => rustix::fs::seek(&*self.fd, rustix::fs::SeekFrom::Start(0))
                .map(drop)
                .tried("rewind", &self.name),
            // It was sealed by `backing`: its memory goes when the last loop device on it does.
            Err(Errno::PERM) => {
                self.fd = Arc::new(open(&self.name)?);
                Ok(())
            }
            Err(errno) => Err(errno).tried("clear the memory file", &self.name),
        }
    }

    /// Sealed from here on: what was verified is what is mounted.
    fn backing(&self) -> Result<Backing> {
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        fcntl_add_seals(&*self.fd, seals).tried("seal the memory file", &self.name)?;
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
    fn clearing_starts_anew_before_and_after_the_seal() {
        let mut file = File::create("test").unwrap();
        file.write_all(b"first try").unwrap();
        file.clear().unwrap();
        file.write_all(b"second").unwrap();
        assert_eq!(contents(&file), b"second");
        let Backing::Memory(sealed) = file.backing().unwrap() else {
            panic!("a memory file is backed by memory")
        };
        let sealed = std::fs::File::from(sealed.try_clone().unwrap());
        assert_eq!(sealed.write_at(b"x", 0).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(file.write_all(b"more").is_err());
        file.clear().unwrap();
        file.write_all(b"third").unwrap();
        assert_eq!(contents(&file), b"third");
    }
}
