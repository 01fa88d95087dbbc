//! Loop devices, see loop(4) and include/uapi/linux/loop.h.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::io::Errno;

use super::Tried;
use super::mounts::last_errno;
use crate::{Backing, Cause, Result, SysError};

const LOOP_SET_FD: u64 = 0x4C00;
const LOOP_CLR_FD: u64 = 0x4C01;
const LOOP_SET_STATUS64: u64 = 0x4C04;
const LOOP_CONFIGURE: u64 = 0x4C0A;
const LOOP_CTL_GET_FREE: u64 = 0x4C82;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// The major number of loop devices.
const LOOP_MAJOR: u32 = 7;
/// How often another process may take the free device before we attach it.
const ATTEMPTS: u32 = 64;
/// How long a device node may take to appear in devtmpfs.
const NODE_WAIT: Duration = Duration::from_millis(200);

/// `struct loop_info64`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// Attaches a backing read-only. The device detaches itself when the returned handle and all its mounts are closed.
pub(super) fn attach(backing: &Backing) -> Result<(PathBuf, OwnedFd)> {
    let (path_file, name, fd) = open_backing(backing)?;
    let part = match backing {
        Backing::Part { len, .. } => (backing.offset(), *len),
        Backing::Memory(_) | Backing::Path(_) => (0, 0),
    };
    let operation = "attach a loop device to";
    let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control").map_err(|error| {
        let mut error = SysError::from_io(operation, &*name, &error);
        error.words = format!(
            "/dev/loop-control: {}; the kernel needs CONFIG_BLK_DEV_LOOP, or the module loop must be loaded",
            error.words
        );
        error
    })?;
    for _ in 0..ATTEMPTS {
        let number = ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE, 0).tried(operation, &name)?;
        let device = PathBuf::from(format!("/dev/loop{number}"));
        let handle = open_node(&device, number as u32)?;
        match configure(handle.as_raw_fd(), fd, part, &name) {
            Ok(()) => {
                drop(path_file);
                return Ok((device, handle.into()));
            }
            // Another process attached this device first.
            Err(Errno::BUSY) => {}
            Err(errno) => return Err(errno).tried(&format!("{operation} (by {})", device.display()), name),
        }
    }
    let words = format!("other processes attached every free device first, {ATTEMPTS} times in a row");
    Err(SysError::new(operation, name, Cause::Errno(libc::EBUSY), words))
}

/// Opens the file to attach, and returns its name for messages. An opened file stays open until it is attached.
fn open_backing(backing: &Backing) -> Result<(Option<File>, String, RawFd)> {
    match backing {
        Backing::Memory(memory) => Ok((None, "image in memory".to_owned(), memory.as_raw_fd())),
        Backing::Path(path) => {
            let file = super::files::open(path)?;
            let fd = file.as_raw_fd();
            Ok((Some(file), path.to_string(), fd))
        }
        Backing::Part { of, .. } => open_backing(of),
    }
}

/// Opens the device node. devtmpfs creates it in a kernel thread, possibly after `LOOP_CTL_GET_FREE` returns. Without
/// devtmpfs, creates the node here.
fn open_node(device: &std::path::Path, number: u32) -> Result<File> {
    let open = || OpenOptions::new().read(true).write(true).open(device);
    let step = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        match open() {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) && waited < NODE_WAIT => {
                std::thread::sleep(step);
                waited += step;
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => break,
            opened => return opened.tried("open", device.display()),
        }
    }
    let mode = Mode::RUSR | Mode::WUSR;
    match mknodat(CWD, device, FileType::BlockDevice, mode, makedev(LOOP_MAJOR, number)) {
        Ok(()) | Err(Errno::EXIST) => open().tried("open", device.display()),
        Err(errno) => Err(errno).tried("create the node", device.display()),
    }
}

fn configure(
    device: RawFd,
    backing: RawFd,
    (offset, size_limit): (u64, u64),
    name: &str,
) -> std::result::Result<(), Errno> {
    let mut info = LoopInfo {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset,
        // 0 is no limit.
        size_limit,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
        file_name: [0; 64],
        crypt_name: [0; 64],
        encrypt_key: [0; 32],
        init: [0; 2],
    };
    // For losetup(8) to show; the last byte stays NUL.
    for (to, from) in info.file_name.iter_mut().take(63).zip(name.bytes()) {
        *to = from;
    }
    let config = LoopConfig { fd: backing as u32, block_size: 0, info, reserved: [0; 8] };
    match ioctl(device, LOOP_CONFIGURE, (&raw const config).addr() as u64) {
        // Kernels before 5.8 lack LOOP_CONFIGURE. The two steps instead leave a moment in which the device is attached
        // but does not detach itself yet.
        Err(Errno::INVAL | Errno::NOTTY) => {
            ioctl(device, LOOP_SET_FD, backing as u64)?;
            if let Err(errno) = ioctl(device, LOOP_SET_STATUS64, (&raw const config.info).addr() as u64) {
                // Report the first error. A device that stays attached only occupies its number.
                let _ = ioctl(device, LOOP_CLR_FD, 0);
                return Err(errno);
            }
            Ok(())
        }
        done => done.map(drop),
    }
}

/// Calls one of the ioctls of this file: `argument` is 0, a file descriptor, or the address of a structure that the
/// caller keeps alive.
#[allow(unsafe_code)]
fn ioctl(fd: RawFd, request: u64, argument: u64) -> std::result::Result<i32, Errno> {
    // SAFETY: each request of this file takes an integer or reads a `repr(C)` structure of the caller's frame, laid
    // out as in linux/loop.h (checked by size in the tests); the kernel writes to none of them.
    let result = unsafe { libc::ioctl(fd, request as _, argument) };
    if result < 0 { Err(last_errno()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_have_the_kernels_sizes() {
        assert_eq!(size_of::<LoopInfo>(), 232);
        assert_eq!(size_of::<LoopConfig>(), 304);
        assert_eq!(std::mem::offset_of!(LoopInfo, flags), 52);
        assert_eq!(std::mem::offset_of!(LoopConfig, info), 8);
    }
}
