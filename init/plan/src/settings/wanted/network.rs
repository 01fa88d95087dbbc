//! The network.

use std::net::IpAddr;

use dayfly_formats::bond::BondArg;
use dayfly_formats::bridge::BridgeArg;
use dayfly_formats::ifname::IfnameArg;
use dayfly_formats::ip::IpArg;
use dayfly_formats::mac::Mac;
use dayfly_formats::route::RouteArg;
use dayfly_formats::vlan::VlanArg;

use crate::{NetworkKeeper, Sourced};

/// What the settings say of the network, in the forms of dracut's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSettings {
    /// `ip=`.
    pub ip: Vec<Sourced<IpArg>>,
    /// `vlan=`.
    pub vlan: Vec<Sourced<VlanArg>>,
    /// `bond=`.
    pub bond: Vec<Sourced<BondArg>>,
    /// `bridge=`.
    pub bridge: Vec<Sourced<BridgeArg>>,
    /// `ifname=`.
    pub ifname: Vec<Sourced<IfnameArg>>,
    /// `rd.route=`.
    pub route: Vec<Sourced<RouteArg>>,
    /// The interface that the firmware booted from (`BOOTIF=`).
    pub bootif: Option<Sourced<Mac>>,
    /// Whether that counts (`rd.bootif=`).
    pub uses_bootif: Sourced<bool>,
    /// The interface by which the boot goes (`bootdev=`).
    pub bootdev: Option<Sourced<String>>,
    /// Name servers (`nameserver=`).
    pub dns: Vec<Sourced<IpAddr>>,
    /// Whether name servers from the network are used (`rd.peerdns=`).
    pub peerdns: Sourced<bool>,
    /// The network is wanted even if the image is on a disk (`rd.neednet=`).
    pub wanted: Sourced<bool>,
    /// Which network service of the OS keeps the addresses.
    pub handover: Sourced<NetworkKeeper>,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            ip: Vec::new(),
            vlan: Vec::new(),
            bond: Vec::new(),
            bridge: Vec::new(),
            ifname: Vec::new(),
            route: Vec::new(),
            bootif: None,
            uses_bootif: Sourced::default_of(true),
            bootdev: None,
            dns: Vec::new(),
            peerdns: Sourced::default_of(true),
            wanted: Sourced::default_of(false),
            handover: Sourced::default_of(NetworkKeeper::default()),
        }
    }
}
