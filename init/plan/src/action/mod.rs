//! What a step does, as plain data.

mod words;

use std::time::Duration;

use dayfly_formats::mac::Mac;

use crate::Secret;
use crate::image::{Layer, ManifestPlan};
use crate::k0s::K0sPlan;
use crate::k3s::K3sPlan;
use crate::kubernetes::{KernelNeeds, KubeletPlan};
use crate::layout::{self, Policy};
use crate::network::Network;
use crate::node::{FilePlan, HostKeys, NetworkKeeper, SysctlPlan, UnitPlan, UserPlan};
use crate::settings::value::{DeviceRef, HostName, Size, Url, UrlTemplate};

/// The limits of a transfer from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferLimits {
    /// Limit for name resolution, connection and TLS handshake together.
    pub connect: Duration,
    /// Longest time without received data.
    pub stall: Duration,
    /// Minimum rate in bytes per second, measured over twice the `stall` time.
    pub min_rate: u64,
}

/// The disk with the settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSearch {
    /// The disk.
    pub device: DeviceRef,
    /// How long to wait for the disk if the settings name it; the settings file is then required. `None`: use the disk
    /// only if it is present already.
    pub wait: Option<Duration>,
}

/// The disk for persistent state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSearch {
    /// The disk.
    pub device: DeviceRef,
    /// The settings name the disk. The boot fails without it.
    pub wanted: bool,
    /// How long to wait for the disk. `None`: use it only if it is present already.
    pub wait: Option<Duration>,
    /// How to create a state disk if there is none.
    pub create: Option<StateCreation>,
}

/// How to create a state disk. Dayfly only uses a blank disk: it checks for data and signatures first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateCreation {
    /// The disk. `None`: the only blank disk of the machine.
    pub disk: Option<DeviceRef>,
    /// The file system type. The image's own `mkfs.NAME` creates it.
    pub fstype: String,
}

/// Host name and machine-id of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityPlan {
    /// From the settings. `None`: from DHCP, or derived from the MAC address.
    pub hostname: Option<HostName>,
    /// The root is an installed system of one machine. Its own host name takes precedence over DHCP, and its machine-id
    /// stays.
    pub is_installed: bool,
    /// The machine's UUID from the firmware. The machine-id is derived from it.
    pub uuid: Option<String>,
}

/// A Git repository with a program that runs after the OS has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptPlan {
    /// Its name.
    pub name: String,
    /// The repository.
    pub url: String,
    /// The branch. `None`: the repository's default branch.
    pub branch: Option<String>,
    /// The program in the repository.
    pub program: String,
    /// Time between two pulls.
    pub interval: Duration,
    /// A private key for ssh.
    pub ssh_key: Option<Secret>,
    /// The server's keys, as lines of known_hosts.
    pub known_hosts: Option<String>,
}

/// A path of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutEntry {
    /// Absolute, in the OS.
    pub path: String,
    /// What Dayfly does with the path.
    pub policy: Policy,
    /// The path is from the default layout. It is skipped if the image has no such directory and Dayfly cannot create
    /// it.
    pub is_default: bool,
}

impl ScriptPlan {
    /// Default time between two pulls.
    pub const INTERVAL: Duration = Duration::from_secs(300);
}

impl LayoutEntry {
    /// Whether this is one of the default paths of package databases. A plan shows all of them as one entry
    /// (docs/reference/layout.md).
    pub fn is_database(&self) -> bool {
        self.is_default && layout::is_database(&self.path)
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Loads modules for every device on the buses, and for devices that appear later.
    LoadDrivers {
        /// Modules that must not be loaded (`modprobe.blacklist=`, `rd.driver.blacklist=`).
        blacklist: Vec<String>,
    },
    /// Loads modules by name. A module that is built in or missing in the image is not an error here.
    LoadModules {
        /// Their names.
        names: Vec<String>,
    },
    /// Reads the credentials that the hypervisor or firmware passes to the machine.
    ReadCredentials,
    /// Reads the MAC addresses, for rules with a `mac` condition.
    ReadLinks {
        /// The interface that the firmware booted from. It counts as present even if the kernel does not show it yet.
        bootif: Option<Mac>,
        /// How long to wait for the first interface.
        wait: Duration,
    },
    /// Reads the settings file on a disk.
    ReadConfig(ConfigSearch),
    /// Reads the addresses of the last boot on the state disk, if the disk is present already.
    ReadLastBoot {
        /// The state disk, as far as it is known before the network is up.
        device: DeviceRef,
    },
    /// Brings the network up: all interfaces claim an address, and the first over which the server answers is used.
    RaceNetwork(Box<Network>),
    /// Leaves the network that has won, and the interfaces that `ip=` names, and takes the others back.
    SettleNetwork,
    /// Sets the clock by the time servers of the settings, of `ip=` or of the network.
    SetClock,
    /// Reads the host name that the network gives the machine, for rules with a `hostname` condition.
    ReadName,
    /// Fetches the settings file.
    FetchSettings {
        /// The URL. Values that are not known yet are still variables.
        url: UrlTemplate,
        /// The time limits for the transfer.
        limits: TransferLimits,
    },
    /// Fetches the manifest of the image, checks its signatures, and finds out which layers the image has.
    ReadManifest(Box<ManifestPlan>),
    /// Fetches the layers of the image that are placed in memory. Hashes those that have a SHA-256 during the transfer.
    Fetch {
        /// All layers of the image.
        layers: Vec<Layer>,
        /// The time limits for a transfer from a server.
        limits: TransferLimits,
    },
    /// Finds the layers of the image that stay in place. Fails if no source has named a layer by then.
    FindImage {
        /// All layers of the image.
        layers: Vec<Layer>,
    },
    /// Compares each layer that has a SHA-256 with that hash.
    Verify {
        /// All layers of the image.
        layers: Vec<Layer>,
    },
    /// Uses the root that is already mounted as the image, and continues from a root in memory.
    UseRoot,
    /// Attaches each layer of the image (loop device, unless it is a disk) and mounts all of them read-only.
    MountImage {
        /// The layers. Each must have been checked by then as its integrity requires.
        layers: Vec<Layer>,
        /// The path of the image file, if the device is a disc with an image file on it (an ISO).
        file: String,
    },
    /// Reads the settings file in the image.
    ReadDefaults,
    /// Finds the OS's init and its service manager in the image.
    FindInit {
        /// The program from `init=`. `None`: the usual paths.
        init: Option<String>,
    },
    /// Mounts the state disk.
    OpenState(StateSearch),
    /// Mounts the OS's root: an overlay of the image and a tmpfs.
    MountRoot {
        /// The size limit of the tmpfs. `None`: half of the memory.
        size: Option<Size>,
    },
    /// Sets up the paths of the layout.
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
    /// Sets sysctls now, and writes them for the OS.
    SetSysctls(Vec<SysctlPlan>),
    /// Writes files into the OS.
    WriteFiles(Vec<FilePlan>),
    /// Sets ssh keys and passwords of users of the OS.
    SetUpUsers(Vec<UserPlan>),
    /// Writes and enables systemd units.
    WriteUnits(Vec<UnitPlan>),
    /// Gives the node ssh host keys.
    MakeHostKeys(HostKeys),
    /// Passes address, lease and name servers to the OS's network service.
    HandNetworkOver(NetworkKeeper),
    /// Loads the modules and sets the sysctls that pods and services need.
    PrepareKernel(KernelNeeds),
    /// Prepares the node for a kubelet and enables its service.
    StageKubelet(Box<KubeletPlan>),
    /// Prepares the node for k0s and enables its service.
    StageK0s(Box<K0sPlan>),
    /// Prepares the node for k3s and enables its service.
    StageK3s(Box<K3sPlan>),
    /// Writes the services that run programs from Git repositories after the OS has started.
    StageScripts(Vec<ScriptPlan>),
    /// Stores the leased addresses on the state disk, for the next boot.
    KeepForNextBoot,
    /// Stores the boot record in the OS's /var/log.
    KeepRecord,
    /// Sends the boot record to a server.
    Report {
        /// Where to.
        url: Url,
    },
    /// Moves into the new root.
    SwitchRoot {
        /// The old root is an initramfs. Its files are deleted to free the memory.
        empties: bool,
    },
    /// Leaves the new root to dracut, which switches to it.
    LeaveToDracut,
    /// Executes the OS's init in this process.
    Exec {
        /// Its arguments.
        args: Vec<String>,
    },
}

/// Paths of service managers, in the order in which they are tried.
pub const INIT_CANDIDATES: [&str; 7] = [
    "/sbin/init",
    "/usr/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/sbin/openrc-init",
    "/usr/sbin/openrc-init",
    "/etc/init",
];
