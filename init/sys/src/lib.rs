//! The one seam between Dayfly and the machine it runs on.
//!
//! [`Sys`] names what a boot step may ask of the kernel and of the network, at the level of intent. [`Kernel`] answers
//! from the real machine; the tests answer from a recorder that can make any call fail with any errno. This is the
//! only crate of the workspace that may hold `unsafe`, and each such block says why it is sound.
//!
//! Every call that can fail returns a [`SysError`] that carries what was tried, on what, and the kernel's or the
//! server's own words: the text reaches the screen unchanged.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod device;
mod error;
mod file;
mod kernel;
mod mount;
mod network;
pub mod pid1;
mod program;
mod signature;
mod tree;
mod url;

pub use device::{Loaded, Memory, Uevents};
pub use error::{Cause, Result, SysError};
pub use file::{Backing, Copied, Entry, FileKind, RamFile, Rights};
pub use kernel::Kernel;
pub use mount::{Mount, MountFlags, Writable};
pub use network::{DHCP_CLIENT, DHCP_SERVER, Link, LinkChange, LinkKind, PacketPort, RouteOrigin};
pub use program::Output;
pub use signature::Signed;
pub use tree::{Links, Tree, TreePath, own};
pub use url::{Authorities, Identity, Limits, Method, Request, Response};

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the machine goes down, see reboot(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// `RB_AUTOBOOT`.
    Reboot,
    /// `RB_POWER_OFF`.
    PowerOff,
    /// `RB_HALT_SYSTEM`.
    Halt,
}

/// What a boot step may ask of the machine.
///
/// A path is always one of a tree ([`TreePath`]): no symlink in it leads out, and where a tree's rule refuses one, the call
/// fails for that path alone. The text of a symlink (`target`) is what its reader makes of it. No method panics; none waits longer than the time it is given or, where it is given none,
/// longer than the kernel takes for one system call.
pub trait Sys: Files + Devices + Network + Http + Platform {}

impl<T: Files + Devices + Network + Http + Platform> Sys for T {}

/// Files and folders, each at a path of a tree.
pub trait Files: Send + Sync + 'static {
    /// Reads a whole file (at most 64 MiB: what is larger is not configuration).
    fn read(&self, path: &TreePath) -> Result<Vec<u8>>;
    /// Reads up to `len` bytes at `offset`, of a file or a block device; short at its end.
    fn read_at(&self, path: &TreePath, offset: u64, len: usize) -> Result<Vec<u8>>;
    /// The entries of a folder, sorted by name.
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>>;
    /// What is at a path, without following a final symlink; `None` where there is nothing.
    fn inspect(&self, path: &TreePath) -> Result<Option<FileKind>>;
    /// Where a path leads when symlinks are followed as its tree has it. What is missing is taken as it is written.
    fn resolve(&self, path: &TreePath) -> Result<TreePath>;
    /// Owner and mode of what is at a path, without following a final symlink.
    fn rights(&self, path: &TreePath) -> Result<Rights>;
    /// Gives a file or folder to a user and a group, without following a final symlink. It loses setuid and setgid.
    fn set_owner(&self, path: &TreePath, uid: u32, gid: u32) -> Result<()>;
    /// Puts a file in place with these bytes and this mode, atomically (temporary file, then rename), and makes the
    /// folders above it (0755). Files in /proc and /sys are written in place.
    fn write(&self, path: &TreePath, bytes: &[u8], mode: u32) -> Result<()>;
    /// Makes a folder and those above it; one that exists is left as it is.
    fn make_dir(&self, path: &TreePath, mode: u32) -> Result<()>;
    /// Makes a symlink, replacing a file or symlink that is there, and the folders above it (0755).
    fn symlink(&self, target: &Path, link: &TreePath) -> Result<()>;
    /// Renames within one file system, replacing a file that is there; rename(2).
    fn rename(&self, from: &TreePath, to: &TreePath) -> Result<()>;
    /// Removes a file, or a folder with all that is in it; never crosses a mount point. Nothing there is a success.
    fn remove_tree(&self, path: &TreePath) -> Result<()>;
    /// Copies what is inside `from` into the existing folder `to`: modes, owners, times, xattrs, symlinks, device
    /// nodes, hard links. `to` itself gets the mode, owner, times and xattrs of `from`. Never crosses a mount point.
    /// Of a folder in `skip` (relative to `from`), only the folder itself is copied.
    fn copy_tree(&self, from: &TreePath, to: &TreePath, skip: &[PathBuf]) -> Result<Copied>;
    /// Copies a regular file, with mode, owner, times and xattrs, to a place where nothing is.
    fn copy_file(&self, from: &TreePath, to: &TreePath) -> Result<()>;
}

/// Kernel modules, block devices and what is mounted of them.
pub trait Devices: Send + Sync + 'static {
    /// Fails (`EBUSY`) where a file system, swap, a RAID or a volume manager uses a block device or a partition of it.
    fn check_unused(&self, device: &TreePath) -> Result<()>;
    /// Makes, moves or removes a mount.
    fn mount(&self, mount: &Mount) -> Result<()>;
    /// Attaches a read-only, self-clearing loop device and returns its path (`/dev/loopN`).
    fn attach_loop(&self, backing: &Backing) -> Result<PathBuf>;
    /// Loads a module file, which may be compressed (`.xz .gz .zst`) where the kernel can decompress it.
    /// A module that is loaded already is a success.
    fn load_module(&self, path: &TreePath, params: &str) -> Result<Loaded>;
    /// Subscribes to the kernel's uevents.
    fn uevents(&self) -> Result<Box<dyn Uevents>>;
    /// An empty file in memory that no file system's size limits.
    fn ram_file(&self, name: &str) -> Result<Box<dyn RamFile>>;
}

/// Network interfaces and the name that the machine has there.
pub trait Network: Send + Sync + 'static {
    /// The network interfaces, by index.
    fn links(&self) -> Result<Vec<Link>>;
    /// Changes one thing of an interface.
    fn change_link(&self, index: u32, change: &LinkChange) -> Result<()>;
    /// A port for raw IPv4 packets on an interface, for DHCP before there is an address.
    fn packet_port(&self, index: u32) -> Result<Box<dyn PacketPort>>;
    /// Sets the host name of the running kernel.
    fn set_hostname(&self, name: &str) -> Result<()>;
}

/// HTTP and HTTPS.
pub trait Http: Send + Sync + 'static {
    /// Sends a request and gives the start of its answer; the body is read from there. A status other than 2xx is not an
    /// error here.
    fn send(&self, request: &Request) -> Result<Response>;
}

/// The machine itself: its clocks, memory, consoles and programs, and how it goes on.
pub trait Platform: Send + Sync + 'static {
    /// Time since the kernel started (`CLOCK_BOOTTIME`): it goes on while the machine sleeps and never jumps.
    fn now(&self) -> Duration;
    /// Waits.
    fn sleep(&self, time: Duration);
    /// Waits until another thread unparks this one ([`std::thread::Thread::unpark`]), at most for `limit`; it may come back early.
    fn park(&self, limit: Duration);
    /// The wall clock, seconds since 1970.
    fn clock(&self) -> u64;
    /// Sets the wall clock.
    fn set_clock(&self, epoch_seconds: u64) -> Result<()>;
    /// Total and available memory.
    fn memory(&self) -> Result<Memory>;
    /// Random bytes; never waits (`GRND_INSECURE` where the pool is not ready: nothing here is a key).
    fn random(&self, bytes: &mut [u8]);
    /// One line for the kernel log at a printk level (0 to 7), cut at 900 bytes; the console where that fails.
    fn log(&self, level: u8, line: &str);
    /// Text for a person, written to every console of the kernel.
    fn show(&self, text: &str);
    /// Runs a program to its end on /dev/console, at most for `limit`; its exit code (128+n for a signal).
    fn run(&self, program: &Path, args: &[&str], limit: Option<Duration>) -> Result<i32>;
    /// Runs a program of the OS in `root` to its end (chroot), at most for `limit`: without a terminal and without input,
    /// with /dev, /proc and /sys in their places. A name without `/` is looked for in the usual folders. One that is over
    /// its time is killed, and an error that holds the end of what it said.
    fn run_in(&self, root: Tree, program: &str, args: &[&str], limit: Duration) -> Result<Output>;
    /// Goes on in a new, empty root in memory with the /dev, /proc, /run and /sys of this one, which is at `old` then, a
    /// folder below /run.
    fn leave_root(&self, old: Tree) -> Result<()>;
    /// Empties the initramfs, moves `root` to `/` and enters it.
    fn switch_root(&self, root: Tree) -> Result<()>;
    /// Replaces this process; returns only on failure.
    fn exec(&self, program: &Path, args: &[String]) -> SysError;
    /// Has process 1 end the machine after `limit` at the latest, whatever hangs meanwhile: a disk, a console, this process.
    fn end_within(&self, power: Power, limit: Duration);
    /// Ends the machine, and waits for its disks for a bounded time only; returns only on failure.
    fn power(&self, power: Power) -> SysError;
}
