//! What a step does, as plain data.

mod words;

use std::net::IpAddr;
use std::time::Duration;

use dayfly_formats::ip::IpArg;
use dayfly_formats::mac::Mac;

use crate::Secret;
use crate::image::Layer;
use crate::k0s::K0sPlan;
use crate::k3s::K3sPlan;
use crate::kubernetes::{KernelNeeds, KubeletPlan};
use crate::layout::{self, Policy};
use crate::node::{FilePlan, HostKeys, NetworkKeeper, SysctlPlan, UnitPlan, UserPlan};
use crate::settings::value::{DeviceRef, HostName, Size, Url, UrlTemplate};

/// How the network comes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPlan {
    /// `ip=` words; empty is DHCP on every interface.
    pub ip: Vec<IpArg>,
    /// The interface that the firmware booted from, preferred.
    pub bootif: Option<Mac>,
    /// Name servers from the settings, before those from DHCP.
    pub dns: Vec<IpAddr>,
    /// The host name to ask DHCP for.
    pub hostname: Option<HostName>,
}

/// How long a server is borne with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For resolving its name, connecting and TLS, in sum.
    pub connect: Duration,
    /// The longest silence.
    pub stall: Duration,
    /// The least rate, in bytes a second, over twice the longest silence.
    pub min_rate: u64,
}

/// Which disk has the settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSearch {
    /// The disk.
    pub device: DeviceRef,
    /// It was asked for by name: it is waited for so long, and must have the file. Else what is there by now counts.
    pub wait: Option<Duration>,
}

/// Which disk keeps the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSearch {
    /// The disk.
    pub device: DeviceRef,
    /// It was asked for by name: a boot without it is not what was asked for.
    pub wanted: bool,
    /// How long it is waited for. Else what is there by now counts.
    pub wait: Option<Duration>,
    /// Where there is none, one is made.
    pub create: Option<StateCreation>,
}

/// How a state disk is made. Only a disk that is blank from end to end, as far as it is looked at, becomes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateCreation {
    /// The disk; else the only one that is blank.
    pub disk: Option<DeviceRef>,
    /// The file system, made by the image's own `mkfs.NAME`.
    pub fstype: String,
}

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityPlan {
    /// From the settings; else from DHCP, else from the MAC address.
    pub hostname: Option<HostName>,
    /// The root is that of one machine: what it calls itself comes before DHCP, and its machine-id stays.
    pub is_installed: bool,
    /// The firmware's UUID of the machine, which the machine-id is derived from.
    pub uuid: Option<String>,
}

/// A Git repository whose program runs when the OS is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptPlan {
    /// Its name.
    pub name: String,
    /// The repository.
    pub url: String,
    /// The branch; the repository's own choice where there is none.
    pub branch: Option<String>,
    /// The program in it.
    pub program: String,
    /// Between two pulls.
    pub interval: Duration,
    /// A private key for ssh.
    pub ssh_key: Option<Secret>,
    /// The server's keys, lines of known_hosts.
    pub known_hosts: Option<String>,
}

/// A path of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutEntry {
    /// Absolute, in the OS.
    pub path: String,
    /// What happens to it.
    pub policy: Policy,
    /// Nobody asked for it: it is passed over where the image has no such folder and none can be made.
    pub is_default: bool,
}

impl ScriptPlan {
    /// The time between two pulls where the settings say nothing.
    pub const INTERVAL: Duration = Duration::from_secs(300);
}

impl LayoutEntry {
    /// Whether it is one of the package databases: forty paths that nobody has asked about are one thing for a reader
    /// (docs/reference/layout.md).
    pub fn is_database(&self) -> bool {
        self.is_default && layout::is_database(&self.path)
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Loads modules for every device that the buses show, and for those that appear later.
    LoadDrivers {
        /// Never load these (`modprobe.blacklist=`, `rd.driver.blacklist=`).
        blacklist: Vec<String>,
    },
    /// Loads modules by name; one that is built in or not in the image is no failure here.
    LoadModules {
        /// Their names.
        names: Vec<String>,
    },
    /// Reads the credentials that the machine's host hands in.
    ReadCredentials,
    /// Reads the MAC addresses that rules ask for.
    ReadLinks {
        /// The interface that the firmware booted from, which the machine has whatever is seen of it.
        bootif: Option<Mac>,
        /// How long the first interface is waited for.
        wait: Duration,
    },
    /// Reads the settings file on a disk.
    ReadConfig(ConfigSearch),
    /// Brings the network up: all interfaces claim what they get, and the first claim is what is configured.
    RaceNetwork(NetworkPlan),
    /// Leaves the network that has won, and the interfaces that `ip=` names, and takes the others back.
    SettleNetwork,
    /// Takes the network's name for the machine, for the rules that ask for it.
    ReadName,
    /// Fetches the settings file.
    FetchSettings {
        /// From where, with what is not known yet still as variables.
        url: UrlTemplate,
        /// How long the server is borne with.
        patience: Patience,
    },
    /// Fetches those layers of the image into memory that are placed there, and hashes on the way those that have a SHA-256.
    Fetch {
        /// All layers of the image.
        layers: Vec<Layer>,
        /// How long a server is borne with.
        patience: Patience,
    },
    /// Finds those layers of the image that stay in place; fails where one is not named by then.
    FindImage {
        /// All layers of the image.
        layers: Vec<Layer>,
    },
    /// Compares the layers that have a SHA-256 with it.
    Verify {
        /// All layers of the image.
        layers: Vec<Layer>,
    },
    /// Takes the root that is mounted already as the image, and goes on from a root in memory.
    UseRoot,
    /// Attaches each layer of the image (loop device, unless it is a disk) and mounts all of them read-only.
    MountImage {
        /// The layers, and what must have been decided of each by then.
        layers: Vec<Layer>,
        /// The image's file where what was found is a disc with an image on it (an ISO).
        file: String,
    },
    /// Reads the settings that the image brings along.
    ReadDefaults,
    /// Finds the OS's init and its service manager in the image.
    FindInit {
        /// The program from `init=`, else the usual places.
        init: Option<String>,
    },
    /// Mounts the state disk.
    OpenState(StateSearch),
    /// Makes the OS's root: the image below a tmpfs.
    MountRoot {
        /// The tmpfs's limit in bytes; `None` is half of the memory.
        size: Option<Size>,
    },
    /// Sets the paths up.
    ApplyLayout {
        /// Parents first.
        entries: Vec<LayoutEntry>,
    },
    /// Host name, hosts, machine-id, resolver.
    WriteIdentity(IdentityPlan),
    /// Loads modules of the image.
    LoadOsModules {
        /// Their names.
        names: Vec<String>,
    },
    /// Sets kernel parameters, now and for the OS.
    SetSysctls(Vec<SysctlPlan>),
    /// Writes files into the OS.
    WriteFiles(Vec<FilePlan>),
    /// Gives users of the OS their keys and passwords.
    SetUpUsers(Vec<UserPlan>),
    /// Writes and enables units of systemd.
    WriteUnits(Vec<UnitPlan>),
    /// Gives the node ssh host keys.
    MakeHostKeys(HostKeys),
    /// Hands address, lease and name servers to the OS's network service.
    HandNetworkOver(NetworkKeeper),
    /// Gives pods and services what they need of the kernel.
    PrepareKernel(KernelNeeds),
    /// Prepares the node for a kubelet and enables its service.
    StageKubelet(Box<KubeletPlan>),
    /// Prepares the node for k0s and enables its service.
    StageK0s(Box<K0sPlan>),
    /// Prepares the node for k3s and enables its service.
    StageK3s(Box<K3sPlan>),
    /// Writes what runs programs out of Git repositories when the OS is up.
    StageScripts(Vec<ScriptPlan>),
    /// Keeps the boot's record in the OS's /var/log.
    KeepRecord,
    /// Sends the boot's record to a server.
    Report {
        /// Where to.
        url: Url,
    },
    /// Moves into the new root.
    SwitchRoot {
        /// What was the root is an initramfs, memory that nobody needs any more.
        empties: bool,
    },
    /// Leaves the new root to dracut, which enters it.
    LeaveToDracut,
    /// Goes on as the OS's init.
    Exec {
        /// Its arguments.
        args: Vec<String>,
    },
}

/// Where a service manager lives, in the order in which they are tried.
pub const INIT_CANDIDATES: [&str; 7] = [
    "/sbin/init",
    "/usr/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/sbin/openrc-init",
    "/usr/sbin/openrc-init",
    "/etc/init",
];
