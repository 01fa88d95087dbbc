//! A fake machine behind the `Sys` interface: files, mounts, a NIC with a DHCP server, an HTTP server and a clock, all
//! in memory. Any call can be made to fail with any errno. It is fast, and can produce faults that a real machine does
//! not. The real kernel is tested in namespaces and in virtual machines.
#![allow(dead_code, reason = "each test file uses a part of it")]

mod clock;
pub mod configured;
mod dhcp;
mod files;
pub mod firmware;
mod image;
mod network;
mod node;
pub mod ntp;
pub mod programs;
mod routers;
mod streams;
mod sys;
mod threads;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

#[allow(unused_imports, reason = "not every test file lets calls panic")]
pub use clock::hang_for_good;
use clock::{Answer, Clock};
use dayfly_init::boot::{Ended, boot};
use dayfly_init::panic;
use dayfly_plan::{Way, paths};
use dayfly_sys::{Cause, Link, LinkAddress, LinkKind, LinkRoute, Memory, Power, Result, Sys, SysError};
pub use files::Node;
#[allow(unused_imports, reason = "not every test file boots")]
pub use image::{ext4, sha256, squashfs};

/// Which call fails, how, and how often.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The operation and its object, in the format of [`Machine::calls`].
    pub call: String,
    /// The error.
    pub cause: Cause,
    /// How often it fails; later calls succeed.
    pub times: usize,
}

/// How a boot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The OS's init runs.
    Exec(String),
    /// The machine went down.
    Power(Power),
    /// `boot` returned. This is right only under dracut, or if the machine refused to go down.
    Returned(Ended),
    /// The boot hangs: see [`clock`].
    Hung,
}

/// A call that panics, and how often.
#[derive(Debug, Clone)]
pub struct Panic {
    /// The operation and its object.
    pub call: String,
    /// How many times.
    pub times: usize,
}

pub struct State {
    pub nodes: BTreeMap<PathBuf, Node>,
    pub calls: Vec<String>,
    pub fault: Option<Fault>,
    pub panic: Option<Panic>,
    pub screens: String,
    pub log: Vec<(u8, String)>,
    pub mounts: Vec<String>,
    pub modules: Vec<String>,
    pub links: Vec<Link>,
    pub memory: Memory,
    pub served: Vec<u8>,
    pub status: u16,
    pub length: Option<u64>,
    /// The connection ends after this many bytes.
    pub cut: Option<usize>,
    /// The entity tags of the image for consecutive requests; the last one stays. Without any, the server always sends
    /// the whole image.
    pub tags: Vec<&'static str>,
    /// The server ignores If-Range: it sends the rest of the image for any tag.
    pub ignores_if_range: bool,
    /// The most bytes that the server sends for a request for the rest.
    pub longest_part: Option<u64>,
    /// The server closes the connection before the first byte of a request for the rest.
    pub sends_no_rest: bool,
    /// The start offsets of the requests for the image.
    pub asked_from: Vec<u64>,
    /// Reading the body blocks for ever after the served bytes: a defect, or a call without a time limit.
    pub hangs: bool,
    pub requests: usize,
    /// URLs are those of real servers, accessed with the product's own client.
    pub real_servers: bool,
    /// The bodies of POST requests.
    pub posted: Vec<Vec<u8>>,
    pub post_status: u16,
    pub hostname: Option<String>,
    pub epoch: u64,
    pub dhcp: bool,
    /// The time servers, by the name or address that they are asked at.
    pub time_servers: BTreeMap<String, ntp::Server>,
    /// The time servers that the DHCP server names (option 42).
    pub dhcp_ntp: Vec<Ipv4Addr>,
    /// The arguments of the OS's init.
    pub exec_args: Vec<String>,
    /// What the DHCP server received: the type of each message and the address that it names, if any.
    pub dhcp_heard: Vec<String>,
    /// The DHCP server has lost its leases: it does not answer a REQUEST for an address that it did not offer.
    pub dhcp_forgets: bool,
    /// The host name that the DHCP server sends.
    pub dhcp_name: String,
    /// The DHCP server of each interface ends after one lease of this many seconds.
    pub only_lease: Option<u32>,
    /// Interfaces with an IPv6 router.
    pub routers: Vec<u32>,
    /// Interfaces without a DHCP server.
    pub silent: Vec<u32>,
    /// The call with which an interface is removed from the machine, and its index.
    pub removed_at: Option<(&'static str, u32)>,
    /// Interfaces without a cable.
    pub unplugged: Vec<u32>,
    /// The interface through which the image server is reachable; `None` means any.
    pub server_behind: Option<u32>,
    /// The addresses and routes that interfaces have now.
    pub addresses: Vec<LinkAddress>,
    pub routes: Vec<LinkRoute>,
    /// Disks by their device, and what mounting them shows.
    pub disks: BTreeMap<PathBuf, Vec<u8>>,
    /// Disks that are files of the host: large or sparse ones, made by real tools.
    pub host_disks: BTreeMap<PathBuf, PathBuf>,
    /// Disks that appear one after the other, each at one listing of all disks.
    pub appearing: VecDeque<Option<(String, Vec<u8>)>>,
    /// The settings files on disks.
    pub settings: BTreeMap<PathBuf, Vec<u8>>,
    /// Other files that are served, by URL.
    pub pages: BTreeMap<String, Vec<u8>>,
    /// The server has no other files: it answers 404 Not Found.
    pub has_only_pages: bool,
    /// The modes with which files and directories were created.
    pub modes: BTreeMap<PathBuf, u32>,
    /// The number of ssh host keys that the image's ssh-keygen made.
    pub keys_made: usize,
    /// The exit status of the image's fsck.
    pub fsck: i32,
    /// The scheduled end of the machine.
    pub due: Option<(Power, Duration)>,
    /// The image has its /etc in /usr/etc, like a bootc tree.
    pub etc_in_usr: bool,
    /// The owners that were set.
    pub owners: BTreeMap<PathBuf, (u32, u32)>,
    /// The times of files that were set.
    pub modified: BTreeMap<PathBuf, u64>,
}

impl State {
    /// Whether something is mounted at a path now.
    pub fn is_mounted(&self, target: &Path) -> bool {
        let mut latest = self.mounts.iter().rev().filter_map(|change| change.rsplit_once(' '));
        latest.find(|(_, place)| Path::new(place) == target).is_some_and(|(kind, _)| kind != "unmount")
    }
}

/// The fake.
pub struct Machine {
    state: Arc<Mutex<State>>,
    clock: Arc<Clock>,
    /// The sender for the end of the boot.
    ends: Mutex<Option<Answer<End>>>,
}

impl Machine {
    /// A machine with one NIC, a module index and an image server. The test gives the kernel command line.
    pub fn new(cmdline: &str) -> Arc<Self> {
        Arc::new(Self {
            state: Arc::new(Mutex::new(State {
                nodes: files::initramfs(cmdline),
                calls: Vec::new(),
                fault: None,
                panic: None,
                screens: String::new(),
                log: Vec::new(),
                mounts: Vec::new(),
                modules: Vec::new(),
                links: vec![
                    Link {
                        index: 1,
                        name: "lo".to_owned(),
                        kind: LinkKind::Loopback,
                        mac: None,
                        permanent_mac: None,
                        up: false,
                        carrier: false,
                        mtu: 65536,
                        least_mtu: 0,
                        most_mtu: 0,
                        other_names: Vec::new(),
                        parent: None,
                        port_of: None,
                        router: None,
                    },
                    link(2, "eth0"),
                ],
                memory: Memory { total: 2 << 30, available: 1 << 30 },
                served: squashfs(3 << 20),
                status: 200,
                length: Some(3 << 20),
                cut: None,
                tags: Vec::new(),
                ignores_if_range: false,
                longest_part: None,
                sends_no_rest: false,
                asked_from: Vec::new(),
                hangs: false,
                requests: 0,
                real_servers: false,
                posted: Vec::new(),
                post_status: 204,
                hostname: None,
                epoch: 0,
                dhcp_name: "worker7".to_owned(),
                time_servers: BTreeMap::new(),
                dhcp_ntp: Vec::new(),
                only_lease: None,
                exec_args: Vec::new(),
                dhcp: true,
                dhcp_heard: Vec::new(),
                dhcp_forgets: false,
                routers: Vec::new(),
                silent: Vec::new(),
                removed_at: None,
                unplugged: Vec::new(),
                server_behind: None,
                addresses: Vec::new(),
                routes: Vec::new(),
                disks: BTreeMap::new(),
                host_disks: BTreeMap::new(),
                appearing: VecDeque::new(),
                settings: BTreeMap::new(),
                pages: BTreeMap::new(),
                has_only_pages: false,
                modes: BTreeMap::new(),
                keys_made: 0,
                fsck: 0,
                due: None,
                etc_in_usr: false,
                owners: BTreeMap::new(),
                modified: BTreeMap::new(),
            })),
            clock: Arc::new(Clock::new()),
            ends: Mutex::default(),
        })
    }

    /// The machine as Dayfly finds it when it is started in this way.
    pub fn new_for(way: Way, cmdline: &str) -> Arc<Self> {
        let machine = Self::new(cmdline);
        if way == Way::Dracut {
            let mut state = machine.state();
            // dracut's parameters include those of the kernel.
            state.put(Path::new("/proc/cmdline"), Node::File(b"quiet".to_vec()));
            state.put(Path::new(paths::DRACUT_CMDLINE), Node::File(cmdline.as_bytes().to_vec()));
            state.put(Path::new(paths::UDEV_CONTROL), Node::File(Vec::new()));
            state.put(&Path::new(paths::UDEV_DATA).join("n2"), Node::File(Vec::new()));
        }
        if way == Way::Root {
            machine.state().install();
        }
        machine
    }

    /// The whole state of the machine, to inspect or to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Boots as the init of an initramfs, and returns how it ended.
    pub fn boot(self: &Arc<Self>) -> End {
        self.boot_by(Way::Initramfs)
    }

    /// The same, started in any way.
    pub fn boot_by(self: &Arc<Self>, way: Way) -> End {
        let end = self.wait_for(|end| {
            *self.ends.lock().unwrap() = Some(end);
            let machine = Arc::clone(self);
            std::thread::spawn(move || {
                // The same callback as `panic::guard` registers for the main thread of the product.
                panic::tell({
                    let machine = Arc::clone(&machine);
                    move |failure| match way {
                        Way::Dracut => machine.end(End::Returned(Ended::Failed)),
                        Way::Initramfs | Way::Root => panic::restart(&*machine, &failure),
                    }
                });
                let sys: Arc<dyn Sys> = Arc::clone(&machine) as _;
                let ended = boot(&sys, way, &[]);
                machine.end(End::Returned(ended));
            });
        });
        end.unwrap_or(End::Hung)
    }

    /// Starts work on other threads and waits for its result, while the simulated time advances.
    pub fn wait_for<T: Send + 'static>(&self, start: impl FnOnce(Answer<T>)) -> Option<T> {
        self.clock.drive(start)
    }

    /// The simulated duration of the boot.
    pub fn took(&self) -> Duration {
        self.clock.took()
    }

    /// The boot.json that the OS sees.
    pub fn report(&self) -> serde_json::Value {
        let state = self.state();
        let Some(Node::File(bytes)) = state.nodes.get(Path::new(dayfly_plan::paths::BOOT_JSON)) else {
            panic!("no boot.json was written");
        };
        serde_json::from_slice(bytes).unwrap()
    }

    /// Ends the abandoned threads, and frees the memory.
    pub fn forget(&self) {
        self.clock.end();
        let mut state = self.state();
        state.nodes.clear();
        state.served.clear();
        state.disks.clear();
        state.calls.clear();
        state.log.clear();
    }

    /// Ends all threads of the boot.
    fn end_for_good(&self, end: End) -> ! {
        self.end(end);
        self.clock.end();
        clock::vanish()
    }

    fn end(&self, end: End) {
        if let Some(ends) = &*self.ends.lock().unwrap() {
            ends.send(end);
        }
    }

    /// Records a call, and lets it fail if the test asks for it.
    fn call(&self, operation: &str, subject: impl std::fmt::Display) -> Result<MutexGuard<'_, State>> {
        self.clock.look();
        let name = format!("{operation} {subject}");
        let mut state = self.state();
        state.calls.push(name.clone());
        if let Some((_, index)) = state.removed_at.take_if(|(call, _)| *call == name) {
            state.links.retain(|link| link.index != index);
        }
        if let Some(panic) = state.panic.as_mut()
            && panic.call == name
            && panic.times > 0
        {
            panic.times -= 1;
            // Release the fake's own lock, which is not under test.
            drop(state);
            panic!("an injected fault in {name}");
        }
        if let Some(fault) = state.fault.as_mut()
            && fault.call == name
            && fault.times > 0
        {
            fault.times -= 1;
            let words = match fault.cause {
                Cause::Errno(errno) => io::Error::from_raw_os_error(errno).to_string(),
                other => format!("{other:?}"),
            };
            return Err(SysError::new(operation, subject.to_string(), fault.cause, words));
        }
        Ok(state)
    }
}

/// An Ethernet NIC that is down.
pub fn link(index: u32, name: &str) -> Link {
    let mac = [0x52, 0x54, 0, 0x12, 0x34, u8::try_from(index).unwrap()];
    Link {
        index,
        name: name.to_owned(),
        kind: LinkKind::Ethernet,
        mac: Some(mac),
        permanent_mac: Some(mac),
        up: false,
        carrier: false,
        mtu: 1500,
        least_mtu: 68,
        most_mtu: 9000,
        other_names: Vec::new(),
        parent: None,
        port_of: None,
        router: None,
    }
}

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;
const ENETUNREACH: i32 = 101;
const EISDIR: i32 = 21;
const ENOTDIR: i32 = 20;

fn errno(operation: &str, subject: &Path, errno: i32) -> SysError {
    SysError::from_io(operation, subject.display().to_string(), &io::Error::from_raw_os_error(errno))
}
