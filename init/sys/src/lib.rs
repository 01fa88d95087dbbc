//! The interface between Dayfly and the machine.
//!
//! [`Sys`] defines the operations that a boot step may request from the kernel and the network, at the level of intent.
//! [`Kernel`] implements them for the real machine. The tests use a recorder that can make any call fail with any
//! errno. This is the only crate of the workspace that may contain `unsafe`, and each such block says why it is sound.
//!
//! Every call that can fail returns a [`SysError`] with the operation, its object, and the message of the kernel or the
//! server. The text reaches the screen unchanged.

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
pub use network::{
    Answer, DHCP_CLIENT, DHCP_SERVER, DHCP6_CLIENT_PORT, DHCP6_SERVERS, DatagramPort, Family, Link,
    LinkAddress, LinkChange, LinkKind, LinkRoute, NdPort, NewLink, NewLinkKind, PacketPort, Question, Reach,
    RouteOrigin, RouterFlags, UdpPort,
};
pub use program::Output;
pub use signature::Signed;
pub use tree::{Links, Tree, TreePath, own};
pub use url::{Authorities, Identity, Limits, Method, Request, Response, Via};

use std::net::Ipv4Addr;
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

/// The operations that a boot step may request from the machine.
///
/// A path always belongs to a tree ([`TreePath`]): no symlink in it leads out of the tree, and if the tree's rule
/// refuses a symlink, only the call for that path fails. The text of a symlink (`target`) is stored as it is. No method
/// panics. No method waits longer than its time limit or, without one, longer than the kernel takes for one system
/// call.
pub trait Sys: Files + Devices + Network + Http + Platform {}

impl<T: Files + Devices + Network + Http + Platform> Sys for T {}

/// Files and directories, each at a path of a tree.
pub trait Files: Send + Sync + 'static {
    /// Reads a whole file (at most 64 MiB, because larger files are not configuration).
    fn read(&self, path: &TreePath) -> Result<Vec<u8>>;
    /// Reads up to `len` bytes at `offset` of a file or block device; fewer at its end.
    fn read_at(&self, path: &TreePath, offset: u64, len: usize) -> Result<Vec<u8>>;
    /// The entries of a directory, sorted by name.
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>>;
    /// The type of the file at a path, without following a final symlink; `None` if it does not exist.
    fn inspect(&self, path: &TreePath) -> Result<Option<FileKind>>;
    /// Resolves the symlinks in a path by its tree's rule. Missing parts are used as they are written.
    fn resolve(&self, path: &TreePath) -> Result<TreePath>;
    /// The owner and mode of a file, without following a final symlink.
    fn rights(&self, path: &TreePath) -> Result<Rights>;
    /// Sets the owner and group of a file or directory, without following a final symlink. This clears setuid and
    /// setgid.
    fn set_owner(&self, path: &TreePath, uid: u32, gid: u32) -> Result<()>;
    /// Sets when a file was last changed, in seconds since 1970, without following a final symlink.
    fn set_modified(&self, path: &TreePath, since_1970: u64) -> Result<()>;
    /// Writes a file with this mode, atomically (temporary file, then rename), and creates its parents (0755). Files in
    /// /proc and /sys are written in place.
    fn write(&self, path: &TreePath, bytes: &[u8], mode: u32) -> Result<()>;
    /// Creates a directory and its parents. An existing one is not changed.
    fn make_dir(&self, path: &TreePath, mode: u32) -> Result<()>;
    /// Creates a symlink, and its parent directories (0755). Replaces an existing file or symlink.
    fn symlink(&self, target: &Path, link: &TreePath) -> Result<()>;
    /// Renames within one file system. Replaces an existing file; rename(2).
    fn rename(&self, from: &TreePath, to: &TreePath) -> Result<()>;
    /// Removes a file, or a directory with its contents. Never crosses a mount point. Succeeds if it does not exist.
    fn remove_tree(&self, path: &TreePath) -> Result<()>;
    /// Copies the contents of `from` into the existing directory `to`: modes, owners, times, xattrs, symlinks, device
    /// nodes, hard links. `to` itself gets the mode, owner, times and xattrs of `from`. Never crosses a mount point.
    /// For a directory in `skip` (relative to `from`), only the directory itself is copied, without its contents.
    fn copy_tree(&self, from: &TreePath, to: &TreePath, skip: &[PathBuf]) -> Result<Copied>;
    /// Copies a regular file, with mode, owner, times and xattrs, to a path that does not exist.
    fn copy_file(&self, from: &TreePath, to: &TreePath) -> Result<()>;
}

/// Kernel modules, block devices and mounts.
pub trait Devices: Send + Sync + 'static {
    /// Fails (`EBUSY`) if a file system, swap, a RAID or a volume manager uses the block device or one of its
    /// partitions.
    fn check_unused(&self, device: &TreePath) -> Result<()>;
    /// Creates, moves or removes a mount.
    fn mount(&self, mount: &Mount) -> Result<()>;
    /// Attaches a read-only, self-clearing loop device and returns its path (`/dev/loopN`).
    fn attach_loop(&self, backing: &Backing) -> Result<PathBuf>;
    /// Loads a module file, which may be compressed (`.xz .gz .zst`) if the kernel can decompress it. Succeeds if the
    /// module is loaded already.
    fn load_module(&self, path: &TreePath, params: &str) -> Result<Loaded>;
    /// Subscribes to the kernel's uevents.
    fn uevents(&self) -> Result<Box<dyn Uevents>>;
    /// Creates an empty file in memory that no file system's size limits.
    fn ram_file(&self, name: &str) -> Result<Box<dyn RamFile>>;
}

/// Network interfaces and the host name.
pub trait Network: Send + Sync + 'static {
    /// The network interfaces, by index.
    fn links(&self) -> Result<Vec<Link>>;
    /// Creates a virtual interface, which is down at first, and returns its ifindex. `EEXIST` if the name is taken: the bonding
    /// driver creates a bond0 when it is loaded, unless its parameter `max_bonds` is 0. `EOPNOTSUPP` if the kernel has no
    /// driver of this kind.
    fn create_link(&self, new: &NewLink) -> Result<u32>;
    /// Removes a virtual interface. The kernel removes its VLANs with it and releases its ports. `EOPNOTSUPP` for hardware.
    fn remove_link(&self, index: u32) -> Result<()>;
    /// Changes one thing of an interface.
    fn change_link(&self, index: u32, change: &LinkChange) -> Result<()>;
    /// The addresses of all interfaces, of both IP versions.
    fn addresses(&self) -> Result<Vec<LinkAddress>>;
    /// The unicast routes of the main table, of both IP versions. A route with several next hops is listed once per next hop.
    fn routes(&self) -> Result<Vec<LinkRoute>>;
    /// A port for raw IPv4 packets on an interface, for DHCP before there is an address.
    fn packet_port(&self, index: u32) -> Result<Box<dyn PacketPort>>;
    /// A port for the ARP packets on an interface by which another host says that it has `address`, or probes for it (RFC 5227).
    fn arp_port(&self, index: u32, address: Ipv4Addr) -> Result<Box<dyn PacketPort>>;
    /// A UDP port on an interface that has an IPv4 address. It receives nothing from other interfaces.
    fn udp_port(&self, index: u32, port: u16) -> Result<Box<dyn UdpPort>>;
    /// The options of router advertisements that all interfaces receive from now on. The kernel asks the routers for an
    /// advertisement when an interface goes up: open the port before.
    fn nd_options(&self) -> Result<Box<dyn NdPort>>;
    /// Asks the routers of an interface for an advertisement, from its link-local address.
    fn solicit_routers(&self, index: u32) -> Result<()>;
    /// A UDP port for DHCPv6 at the IPv6 link-local address of an interface; clients use [`DHCP6_CLIENT_PORT`].
    /// `EADDRNOTAVAIL`, with the reason, as long as the interface has no usable link-local address.
    fn datagram_port6(&self, index: u32, port: u16) -> Result<Box<dyn DatagramPort>>;
    /// Opens a TCP connection to a server through this interface only, and closes it at once. The name is resolved through the
    /// same interface. The kernel's errno (`ECONNREFUSED`, `EHOSTUNREACH`, `ENETUNREACH` …) if it fails, [`Cause::TimedOut`] if
    /// nothing answers within `limit`.
    fn reach(&self, server: &Reach<'_>, index: u32, limit: Duration) -> Result<()>;
    /// Sends a datagram to a server through this interface only, and waits for an answer that `is_answer` accepts, for `limit`
    /// at most. The name is resolved through the same interface. The kernel's errno (`ECONNREFUSED`, `ENETUNREACH` …) if it
    /// fails, [`Cause::TimedOut`] if no answer came.
    fn ask(
        &self,
        question: &Question<'_>,
        index: u32,
        is_answer: &mut dyn FnMut(&[u8]) -> bool,
        limit: Duration,
    ) -> Result<Answer>;
    /// Sets the host name of the running kernel.
    fn set_hostname(&self, name: &str) -> Result<()>;
}

/// HTTP and HTTPS.
pub trait Http: Send + Sync + 'static {
    /// Sends a request and returns the start of the response; the body is read from it. A status other than 2xx is not
    /// an error here.
    fn send(&self, request: &Request) -> Result<Response>;
}

/// The machine itself: clocks, memory, consoles, programs, and the switch to the OS.
pub trait Platform: Send + Sync + 'static {
    /// Time since the kernel started (`CLOCK_BOOTTIME`). It includes suspend and never jumps.
    fn now(&self) -> Duration;
    /// Waits.
    fn sleep(&self, time: Duration);
    /// Waits until another thread unparks this one ([`std::thread::Thread::unpark`]), for `limit` at most. It may
    /// return early.
    fn park(&self, limit: Duration);
    /// The wall clock, seconds since 1970.
    fn clock(&self) -> u64;
    /// Sets the wall clock to a time since 1970. The hardware clock keeps its time.
    fn set_clock(&self, since_1970: Duration) -> Result<()>;
    /// Total and available memory.
    fn memory(&self) -> Result<Memory>;
    /// Random bytes; never blocks (`GRND_INSECURE` if the pool is not ready; they are never used as keys).
    fn random(&self, bytes: &mut [u8]);
    /// Writes a line to the kernel log at a printk level (0 to 7), truncated at 900 bytes; to the console if that
    /// fails.
    fn log(&self, level: u8, line: &str);
    /// Writes a text to every console of the kernel.
    fn show(&self, text: &str);
    /// Runs a program on /dev/console until it ends, for `limit` at most. Returns its exit code (128+n for signal n).
    fn run(&self, program: &Path, args: &[&str], limit: Option<Duration>) -> Result<i32>;
    /// Runs a program of the OS in `root` (chroot) until it ends, for `limit` at most: without a terminal and without
    /// input, with /dev, /proc and /sys mounted. A name without `/` is searched in the usual directories. After the
    /// time limit it is killed, and the error contains the end of its output.
    fn run_in(&self, root: Tree, program: &str, args: &[&str], limit: Duration) -> Result<Output>;
    /// Moves this process to a new, empty root in memory with the /dev, /proc, /run and /sys of the old one. The old
    /// root is then at `old`, a directory below /run.
    fn leave_root(&self, old: Tree) -> Result<()>;
    /// Deletes the initramfs, moves `root` to `/` and enters it.
    fn switch_root(&self, root: Tree) -> Result<()>;
    /// Replaces this process; returns only on failure.
    fn exec(&self, program: &Path, args: &[String]) -> SysError;
    /// Makes process 1 end the machine after `limit` at the latest, even if a disk, a console or this process hangs.
    fn end_within(&self, power: Power, limit: Duration);
    /// Ends the machine. Waits for its disks only for a limited time. Returns only on failure.
    fn power(&self, power: Power) -> SysError;
}
