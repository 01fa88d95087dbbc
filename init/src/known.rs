//! What the boot has found out so far. Each step gets a copy and returns only new facts, so no data is shared between
//! threads.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::mac::Mac;
use dayfly_plan::Fact;
use dayfly_plan::settings::value::HostName;
use dayfly_sys::Backing;

use crate::services::Manager;
use crate::steps::image::verify::Decided;

/// The winning interface and its configuration.
#[derive(Debug, Clone)]
pub struct NetworkUp {
    /// Its name.
    pub iface: String,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Its address.
    pub address: IpAddr,
    /// The prefix length.
    pub prefix: u8,
    /// The default router.
    pub gateway: Option<IpAddr>,
    /// The MTU from `ip=`, which overrides that of a lease.
    pub mtu: Option<u32>,
    /// Name servers, best first.
    pub dns: Vec<IpAddr>,
    /// The node's domain.
    pub domain: Option<String>,
    /// Search domains.
    pub search: Vec<String>,
    /// The host name from `ip=` or from the network.
    pub hostname: Option<HostName>,
    /// The DHCP lease, if any.
    pub lease: Option<Lease>,
}

/// A layer of the OS image, found on a disk or fetched.
#[derive(Debug, Clone)]
pub struct LayerFile {
    /// Where the bytes are stored.
    pub backing: Backing,
    /// The number of bytes.
    pub bytes: u64,
    /// The SHA-256, if it was computed while the bytes were written to memory.
    pub sha256: Option<[u8; 32]>,
    /// The source, for messages.
    pub origin: String,
}

/// The init of the OS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsInit {
    /// The program.
    pub program: String,
    /// Its service manager, if Dayfly knows it.
    pub manager: Option<Manager>,
}

/// The root that was mounted before Dayfly started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedRoot {
    /// Mount points of other file systems below it, for example `/usr`. An overlay of the root does not show them.
    pub below: Vec<String>,
}

/// The mounted state disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDisk {
    /// Its device.
    pub device: String,
    /// True if the settings name it, so that the node must not run without persistent state. False if it was found by
    /// the default label.
    pub is_wanted: bool,
}

/// All facts known so far.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The network, once it is up.
    pub network: Option<NetworkUp>,
    /// The layers of the image that are available, by their index in the plan.
    pub layers: BTreeMap<usize, LayerFile>,
    /// The layers that were verified.
    pub decided: BTreeMap<usize, Decided>,
    /// The mounted root, if it is used as the image.
    pub mounted_root: Option<MountedRoot>,
    /// The image keeps its /etc in /usr/etc.
    pub etc_in_usr: bool,
    /// The state disk, once it is mounted.
    pub state: Option<StateDisk>,
    /// The init of the image.
    pub init: Option<OsInit>,
    /// The node's name, once it has one.
    pub name: Option<HostName>,
}

/// A fact that a step found out.
#[derive(Debug, Clone)]
pub enum Learned {
    /// The network is up.
    Network(Box<NetworkUp>),
    /// A layer of the image is available.
    Layer(usize, LayerFile),
    /// A layer of the image was verified.
    Decided(usize, Decided),
    /// The mounted root is the image.
    MountedRoot(MountedRoot),
    /// The image keeps its /etc in /usr/etc.
    EtcInUsr,
    /// The state disk is mounted.
    State(StateDisk),
    /// The init of the OS.
    Init(OsInit),
    /// The node's name.
    Name(HostName),
    /// A fact that changes the plan of the rest of the boot.
    Fact(Fact),
}

impl Known {
    /// The node's host name; empty while it has none.
    pub fn hostname(&self) -> &str {
        self.name.as_ref().map_or("", HostName::as_str)
    }

    /// Adds a fact that a step found out.
    pub fn learn(&mut self, learned: Learned) {
        match learned {
            Learned::Network(network) => self.network = Some(*network),
            // A new file for this layer was not verified yet.
            Learned::Layer(place, file) => {
                self.layers.insert(place, file);
                self.decided.remove(&place);
            }
            Learned::Decided(place, decided) => drop(self.decided.insert(place, decided)),
            Learned::MountedRoot(root) => self.mounted_root = Some(root),
            Learned::EtcInUsr => self.etc_in_usr = true,
            Learned::State(disk) => self.state = Some(disk),
            Learned::Init(init) => self.init = Some(init),
            Learned::Name(name) => self.name = Some(name),
            // The runner handles these, because they change the plan: see `Runner::run`.
            Learned::Fact(_) => {}
        }
    }
}
