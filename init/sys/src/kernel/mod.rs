//! The implementation of [`Sys`] for the real machine.

mod ask;
pub(crate) mod changes;
mod chroot;
pub(crate) mod console;
mod context;
mod datagrams;
mod files;
pub(crate) mod handover;
mod labels;
mod links;
mod loops;
mod memory;
mod modules;
pub(crate) mod mounts;
mod nd_options;
mod netlink;
mod packets;
pub(crate) mod programs;
mod reach;
mod removal;
mod sockets;
mod targets;
mod trees;
#[cfg(feature = "https")]
mod trust;
mod udp;
mod uevents;
mod urls;
mod walk;
mod xattrs;

use std::fmt::Display;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

use crate::pid1::{panic_timeout, power};
use crate::{
    Answer, Backing, Copied, DatagramPort, Devices, Entry, FileKind, Files, Http, Link, LinkAddress,
    LinkChange, LinkRoute, Loaded, Memory, Mount, NdPort, Network, NewLink, Output, PacketPort, Platform,
    Power, Question, RamFile, Reach, Request, Response, Result, Rights, SysError, Tree, TreePath, UdpPort,
    Uevents,
};

/// The machine on which this process runs.
///
/// Its only state is the loop devices that are attached but not mounted yet. They are held open, because a
/// self-clearing loop device detaches when its last user closes it.
#[derive(Debug, Default)]
pub struct Kernel {
    unmounted_loops: Mutex<Vec<(PathBuf, OwnedFd)>>,
}

impl Kernel {
    /// Makes the handle.
    pub fn new() -> Self {
        Self::default()
    }

    /// The held loop devices. The list is consistent even if a thread panicked while it held the lock.
    fn loops(&self) -> std::sync::MutexGuard<'_, Vec<(PathBuf, OwnedFd)>> {
        self.unmounted_loops.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Turns a failed system call into a [`SysError`] with the operation and its object.
pub(crate) trait Tried<T> {
    fn tried(self, operation: &str, subject: impl Display) -> Result<T>;
}

impl<T, E: Into<io::Error>> Tried<T> for std::result::Result<T, E> {
    fn tried(self, operation: &str, subject: impl Display) -> Result<T> {
        self.map_err(|error| SysError::from_io(operation, subject.to_string(), &error.into()))
    }
}

impl Files for Kernel {
    /// [read(2)](https://man7.org/linux/man-pages/man2/read.2.html).
    fn read(&self, path: &TreePath) -> Result<Vec<u8>> {
        files::read(path)
    }

    /// [pread(2)](https://man7.org/linux/man-pages/man2/pread.2.html).
    fn read_at(&self, path: &TreePath, offset: u64, len: usize) -> Result<Vec<u8>> {
        files::read_at(path, offset, len)
    }

    /// [getdents(2)](https://man7.org/linux/man-pages/man2/getdents.2.html).
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>> {
        files::list(dir)
    }

    /// [lstat(2)](https://man7.org/linux/man-pages/man2/stat.2.html).
    fn inspect(&self, path: &TreePath) -> Result<Option<FileKind>> {
        files::inspect(path)
    }

    /// [path_resolution(7)](https://man7.org/linux/man-pages/man7/path_resolution.7.html).
    fn resolve(&self, path: &TreePath) -> Result<TreePath> {
        walk::resolve(path)
    }

    /// [lstat(2)](https://man7.org/linux/man-pages/man2/stat.2.html).
    fn rights(&self, path: &TreePath) -> Result<Rights> {
        files::rights(path)
    }

    /// [lchown(2)](https://man7.org/linux/man-pages/man2/chown.2.html).
    fn set_owner(&self, path: &TreePath, uid: u32, gid: u32) -> Result<()> {
        changes::set_owner(path, uid, gid)
    }

    /// [utimensat(2)](https://man7.org/linux/man-pages/man2/utimensat.2.html).
    fn set_modified(&self, path: &TreePath, since_1970: u64) -> Result<()> {
        changes::set_modified(path, since_1970)
    }

    /// [rename(2)](https://man7.org/linux/man-pages/man2/rename.2.html).
    fn write(&self, path: &TreePath, bytes: &[u8], mode: u32) -> Result<()> {
        changes::write(path, bytes, mode)?;
        panic_timeout::written(&path.outside());
        Ok(())
    }

    /// [mkdir(2)](https://man7.org/linux/man-pages/man2/mkdir.2.html).
    fn make_dir(&self, path: &TreePath, mode: u32) -> Result<()> {
        changes::make_dir(path, mode)
    }

    /// [symlink(2)](https://man7.org/linux/man-pages/man2/symlink.2.html).
    fn symlink(&self, target: &Path, link: &TreePath) -> Result<()> {
        changes::symlink(target, link)
    }

    /// [rename(2)](https://man7.org/linux/man-pages/man2/rename.2.html).
    fn rename(&self, from: &TreePath, to: &TreePath) -> Result<()> {
        changes::rename(from, to)
    }

    /// [unlink(2)](https://man7.org/linux/man-pages/man2/unlink.2.html).
    fn remove_tree(&self, path: &TreePath) -> Result<()> {
        removal::remove_tree(path)
    }

    /// [copy_file_range(2)](https://man7.org/linux/man-pages/man2/copy_file_range.2.html),
    /// [xattr(7)](https://man7.org/linux/man-pages/man7/xattr.7.html).
    fn copy_tree(&self, from: &TreePath, to: &TreePath, skip: &[PathBuf]) -> Result<Copied> {
        trees::copy(from, to, skip)
    }

    /// [copy_file_range(2)](https://man7.org/linux/man-pages/man2/copy_file_range.2.html),
    /// [xattr(7)](https://man7.org/linux/man-pages/man7/xattr.7.html).
    fn copy_file(&self, from: &TreePath, to: &TreePath) -> Result<()> {
        trees::copy_file(from, to)
    }
}

impl Devices for Kernel {
    /// [open(2)](https://man7.org/linux/man-pages/man2/open.2.html), `O_EXCL` of a block device.
    fn check_unused(&self, device: &TreePath) -> Result<()> {
        files::check_unused(device)
    }

    /// [fsopen(2)](https://man7.org/linux/man-pages/man2/fsopen.2.html),
    /// [open_tree(2)](https://man7.org/linux/man-pages/man2/open_tree.2.html),
    /// [mount_setattr(2)](https://man7.org/linux/man-pages/man2/mount_setattr.2.html); mount(2) on kernels before 5.2.
    fn mount(&self, mount: &Mount) -> Result<()> {
        mounts::apply(mount)?;
        if let Mount::New { source, .. } = mount {
            // From here on, the mount keeps the loop device open.
            self.loops().retain(|(device, _)| device != Path::new(source));
        }
        Ok(())
    }

    /// [loop(4)](https://man7.org/linux/man-pages/man4/loop.4.html), `LOOP_CONFIGURE`.
    fn attach_loop(&self, backing: &Backing) -> Result<PathBuf> {
        let (device, handle) = loops::attach(backing)?;
        self.loops().push((device.clone(), handle));
        Ok(device)
    }

    /// [finit_module(2)](https://man7.org/linux/man-pages/man2/finit_module.2.html).
    fn load_module(&self, path: &TreePath, params: &str) -> Result<Loaded> {
        modules::load(path, params)
    }

    /// [netlink(7)](https://man7.org/linux/man-pages/man7/netlink.7.html), `NETLINK_KOBJECT_UEVENT`.
    fn uevents(&self) -> Result<Box<dyn Uevents>> {
        Ok(Box::new(uevents::Port::open()?))
    }

    /// [memfd_create(2)](https://man7.org/linux/man-pages/man2/memfd_create.2.html).
    fn ram_file(&self, name: &str) -> Result<Box<dyn RamFile>> {
        Ok(Box::new(memory::File::create(name)?))
    }
}

impl Network for Kernel {
    /// [rtnetlink(7)](https://man7.org/linux/man-pages/man7/rtnetlink.7.html), `RTM_GETLINK`.
    fn links(&self) -> Result<Vec<Link>> {
        links::list()
    }

    /// [rtnetlink(7)](https://man7.org/linux/man-pages/man7/rtnetlink.7.html), `RTM_NEWLINK`.
    fn create_link(&self, new: &NewLink) -> Result<u32> {
        links::create(new)
    }

    /// [rtnetlink(7)](https://man7.org/linux/man-pages/man7/rtnetlink.7.html), `RTM_DELLINK`.
    fn remove_link(&self, index: u32) -> Result<()> {
        links::remove(index)
    }

    /// [rtnetlink(7)](https://man7.org/linux/man-pages/man7/rtnetlink.7.html).
    fn change_link(&self, index: u32, change: &LinkChange) -> Result<()> {
        links::change(index, change)
    }

    /// [rtnetlink(7)](https://man7.org/linux/man-pages/man7/rtnetlink.7.html), `RTM_GETADDR`.
    fn addresses(&self) -> Result<Vec<LinkAddress>> {
        links::addresses()
    }

    /// [rtnetlink(7)](https://man7.org/linux/man-pages/man7/rtnetlink.7.html), `RTM_GETROUTE`.
    fn routes(&self) -> Result<Vec<LinkRoute>> {
        links::routes()
    }

    /// [packet(7)](https://man7.org/linux/man-pages/man7/packet.7.html).
    fn packet_port(&self, index: u32) -> Result<Box<dyn PacketPort>> {
        Ok(Box::new(packets::Port::for_dhcp(index)?))
    }

    /// [packet(7)](https://man7.org/linux/man-pages/man7/packet.7.html).
    fn arp_port(&self, index: u32, address: Ipv4Addr) -> Result<Box<dyn PacketPort>> {
        Ok(Box::new(packets::Port::for_arp(index, address)?))
    }

    /// [udp(7)](https://man7.org/linux/man-pages/man7/udp.7.html), `SO_BINDTODEVICE` and `SO_BROADCAST` of
    /// [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html).
    fn udp_port(&self, index: u32, port: u16) -> Result<Box<dyn UdpPort>> {
        Ok(Box::new(udp::Port::open(index, port)?))
    }

    /// [netlink(7)](https://man7.org/linux/man-pages/man7/netlink.7.html), `RTNLGRP_ND_USEROPT`;
    /// [RFC 4861](https://www.rfc-editor.org/rfc/rfc4861) 4.6.
    fn nd_options(&self) -> Result<Box<dyn NdPort>> {
        Ok(Box::new(nd_options::Port::open()?))
    }

    /// [raw(7)](https://man7.org/linux/man-pages/man7/raw.7.html); [RFC 4861](https://www.rfc-editor.org/rfc/rfc4861) 4.1.
    fn solicit_routers(&self, index: u32) -> Result<()> {
        nd_options::solicit(index)
    }

    /// [udp(7)](https://man7.org/linux/man-pages/man7/udp.7.html), [ipv6(7)](https://man7.org/linux/man-pages/man7/ipv6.7.html).
    fn datagram_port6(&self, index: u32, port: u16) -> Result<Box<dyn DatagramPort>> {
        Ok(Box::new(datagrams::Port::open(index, port)?))
    }

    /// [connect(2)](https://man7.org/linux/man-pages/man2/connect.2.html); `SO_BINDTODEVICE` of
    /// [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html).
    fn reach(&self, server: &Reach<'_>, index: u32, limit: Duration) -> Result<()> {
        reach::reach(server, index, limit)
    }

    /// [udp(7)](https://man7.org/linux/man-pages/man7/udp.7.html), `SO_BINDTODEVICE` of
    /// [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html).
    fn ask(
        &self,
        question: &Question<'_>,
        index: u32,
        is_answer: &mut dyn FnMut(&[u8]) -> bool,
        limit: Duration,
    ) -> Result<Answer> {
        ask::ask(question, index, is_answer, limit)
    }

    /// [sethostname(2)](https://man7.org/linux/man-pages/man2/sethostname.2.html).
    fn set_hostname(&self, name: &str) -> Result<()> {
        rustix::system::sethostname(name.as_bytes()).tried("set the host name to", name)
    }
}

impl Http for Kernel {
    /// [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110), [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112).
    fn send(&self, request: &Request) -> Result<Response> {
        urls::send(request, self.clock())
    }
}

impl Platform for Kernel {
    /// [clock_gettime(2)](https://man7.org/linux/man-pages/man2/clock_gettime.2.html), `CLOCK_BOOTTIME`.
    fn now(&self) -> Duration {
        let time = clock_gettime(ClockId::Boottime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    /// [nanosleep(2)](https://man7.org/linux/man-pages/man2/nanosleep.2.html).
    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html).
    fn park(&self, limit: Duration) {
        std::thread::park_timeout(limit);
    }

    /// [clock_gettime(2)](https://man7.org/linux/man-pages/man2/clock_gettime.2.html), `CLOCK_REALTIME`.
    fn clock(&self) -> u64 {
        u64::try_from(clock_gettime(ClockId::Realtime).tv_sec).unwrap_or(0)
    }

    /// [clock_settime(2)](https://man7.org/linux/man-pages/man2/clock_settime.2.html), `CLOCK_REALTIME`.
    /// The kernel copies only a clock that adjtimex(2) has declared synchronised to the hardware clock, every 11 minutes.
    fn set_clock(&self, since_1970: Duration) -> Result<()> {
        let (seconds, nanos) = (since_1970.as_secs(), since_1970.subsec_nanos());
        let time = Timespec { tv_sec: seconds as i64, tv_nsec: nanos.into() };
        clock_settime(ClockId::Realtime, time).tried("set the clock to", format!("{seconds} s since 1970"))
    }

    /// [proc_meminfo(5)](https://man7.org/linux/man-pages/man5/proc_meminfo.5.html).
    fn memory(&self) -> Result<Memory> {
        let text = files::read(&crate::own("/proc/meminfo"))?;
        memory::parse(&String::from_utf8_lossy(&text))
    }

    /// [getrandom(2)](https://man7.org/linux/man-pages/man2/getrandom.2.html).
    fn random(&self, bytes: &mut [u8]) {
        // GRND_INSECURE exists since Linux 5.6. Before, use GRND_NONBLOCK, which fails while the pool is not
        // initialised.
        for flags in [GetRandomFlags::INSECURE, GetRandomFlags::NONBLOCK] {
            if getrandom(&mut *bytes, flags) == Ok(bytes.len()) {
                return;
            }
        }
        // Without the pool, mix the time in nanoseconds, so that two nodes do not get the same jitter.
        let mut state =
            clock_gettime(ClockId::Monotonic).tv_nsec as u64 ^ u64::from(std::process::id()).rotate_left(32);
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
    }

    /// [syslog(2)](https://man7.org/linux/man-pages/man2/syslog.2.html), /dev/kmsg.
    fn log(&self, level: u8, line: &str) {
        console::log(level, line);
    }

    /// [console(4)](https://man7.org/linux/man-pages/man4/console.4.html), /proc/consoles.
    fn show(&self, text: &str) {
        console::show(text);
    }

    /// [execve(2)](https://man7.org/linux/man-pages/man2/execve.2.html),
    /// [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html).
    fn run(&self, program: &Path, args: &[&str], limit: Option<Duration>) -> Result<i32> {
        programs::run(program, args, limit)
    }

    /// [chroot(2)](https://man7.org/linux/man-pages/man2/chroot.2.html),
    /// [mount_namespaces(7)](https://man7.org/linux/man-pages/man7/mount_namespaces.7.html).
    fn run_in(&self, root: Tree, program: &str, args: &[&str], limit: Duration) -> Result<Output> {
        chroot::run(root, program, args, limit)
    }

    /// [pivot_root(2)](https://man7.org/linux/man-pages/man2/pivot_root.2.html).
    fn leave_root(&self, old: Tree) -> Result<()> {
        handover::leave_root(old)
    }

    /// [switch_root(8)](https://man7.org/linux/man-pages/man8/switch_root.8.html), by move_mount(2) and chroot(2).
    fn switch_root(&self, root: Tree) -> Result<()> {
        handover::switch_root(root)?;
        // Detach loop devices that were never mounted.
        self.loops().clear();
        Ok(())
    }

    /// [execve(2)](https://man7.org/linux/man-pages/man2/execve.2.html).
    fn exec(&self, program: &Path, args: &[String]) -> SysError {
        programs::exec(program, args)
    }

    /// [reboot(2)](https://man7.org/linux/man-pages/man2/reboot.2.html),
    /// [sysrq](https://docs.kernel.org/admin-guide/sysrq.html).
    fn end_within(&self, power: Power, limit: Duration) {
        // In a process other than process 1, this ends only the process, not the machine.
        let _ = power::end_within(power, limit);
    }

    /// [reboot(2)](https://man7.org/linux/man-pages/man2/reboot.2.html).
    fn power(&self, power: Power) -> SysError {
        handover::power(power)
    }
}
