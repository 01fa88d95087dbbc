//! What the boot has learned so far. Each step gets a copy and returns what is new: nothing is shared.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::mac::Mac;
use dayfly_plan::Fact;
use dayfly_plan::settings::value::HostName;
use dayfly_sys::Backing;

use crate::services::Manager;
use crate::steps::image::verify::Decided;

/// The interface that won, as it is configured.
#[derive(Debug, Clone)]
pub struct NetworkUp {
    /// Its name.
    pub iface: String,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Its address.
    pub address: IpAddr,
    /// Bits of its network.
    pub prefix: u8,
    /// The default router.
    pub gateway: Option<IpAddr>,
    /// The MTU that `ip=` asks for, whatever a lease says.
    pub mtu: Option<u32>,
    /// Name servers, best first.
    pub dns: Vec<IpAddr>,
    /// The node's domain.
    pub domain: Option<String>,
    /// Search domains.
    pub search: Vec<String>,
    /// The name that the network, or an `ip=` word, gives this node.
    pub hostname: Option<HostName>,
    /// The lease, where DHCP gave one.
    pub lease: Option<Lease>,
}

/// The bytes of a layer of the OS image, found or fetched.
#[derive(Debug, Clone)]
pub struct LayerFile {
    /// Where its bytes are.
    pub backing: Backing,
    /// How many.
    pub bytes: u64,
    /// Their SHA-256, where they went by on the way into memory.
    pub sha256: Option<[u8; 32]>,
    /// Where it came from.
    pub origin: String,
}

/// What the OS goes on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsInit {
    /// The program.
    pub program: String,
    /// What starts its services, where it is one that we know.
    pub manager: Option<Manager>,
}

/// The root that was mounted before the boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedRoot {
    /// Where in it other file systems are, which no overlay of it shows: `/usr`, say.
    pub below: Vec<String>,
}

/// The disk that keeps the state, mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDisk {
    /// Its device.
    pub device: String,
    /// The settings name it: a node that forgets is not what they ask for. Otherwise it was found by the default label.
    pub is_wanted: bool,
}

/// All that is known.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The network, once it is up.
    pub network: Option<NetworkUp>,
    /// The layers of the image that are here, by their place in the plan.
    pub layers: BTreeMap<usize, LayerFile>,
    /// Those that were compared with their SHA-256.
    pub decided: BTreeMap<usize, Decided>,
    /// The root that was there, where it is the image.
    pub mounted_root: Option<MountedRoot>,
    /// The image keeps its /etc in /usr/etc.
    pub etc_in_usr: bool,
    /// The state disk, once it is mounted.
    pub state: Option<StateDisk>,
    /// The init that the image has.
    pub init: Option<OsInit>,
    /// The node's name, once it has one.
    pub name: Option<HostName>,
}

/// What a step adds.
#[derive(Debug, Clone)]
pub enum Learned {
    /// The network is up.
    Network(Box<NetworkUp>),
    /// A layer of the image is here.
    Layer(usize, LayerFile),
    /// A layer of the image is the right one.
    Decided(usize, Decided),
    /// The mounted root is the image.
    MountedRoot(MountedRoot),
    /// The image keeps its /etc in /usr/etc.
    EtcInUsr,
    /// The state disk is mounted.
    State(StateDisk),
    /// The program to go on with.
    Init(OsInit),
    /// The node's name.
    Name(HostName),
    /// Something that the rest of the boot is planned by.
    Fact(Fact),
}

impl Known {
    /// The node's name; empty while it has none.
    pub fn hostname(&self) -> &str {
        self.name.as_ref().map_or("", HostName::as_str)
    }

    /// Takes over what a step has learned.
    pub fn learn(&mut self, learned: Learned) {
        match learned {
            Learned::Network(network) => self.network = Some(*network),
            // Another one is not decided by what was compared before.
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
            // The plan's, not a step's: see `Runner::run`.
            Learned::Fact(_) => {}
        }
    }
}
