//! The network.

use std::time::Duration;

use dayfly_formats::bond::BondArg;
use dayfly_formats::bridge::BridgeArg;
use dayfly_formats::ifname::IfnameArg;
use dayfly_formats::ip::IpArg;
use dayfly_formats::mac::Mac;
use dayfly_formats::route::RouteArg;
use dayfly_formats::scoped::ScopedAddr;
use dayfly_formats::vlan::VlanArg;

use crate::settings::value::TimeServer;
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
    pub dns: Vec<Sourced<ScopedAddr>>,
    /// Whether name servers from the network are used (`rd.peerdns=`).
    pub peerdns: Sourced<bool>,
    /// Time servers, instead of those from `ip=` and the network.
    pub ntp: Vec<Sourced<TimeServer>>,
    /// The network is wanted even if the image is on a disk (`rd.neednet=`).
    pub wanted: Sourced<bool>,
    /// The vendor class for DHCPv4 servers (`rd.net.dhcp.vendor-class=`).
    pub dhcp_vendor_class: Option<Sourced<String>>,
    /// How long a DHCP server may take (`rd.net.timeout.dhcp=`).
    pub dhcp_timeout: Option<Sourced<Duration>>,
    /// How often that time counts (`rd.net.dhcp.retry=`).
    pub dhcp_tries: Option<Sourced<u32>>,
    /// How long an interface may take to appear (`rd.net.timeout.iflink=`).
    pub link_timeout: Option<Sourced<Duration>>,
    /// How long a carrier may take (`rd.net.timeout.carrier=`).
    pub carrier_timeout: Option<Sourced<Duration>>,
    /// How long duplicate address detection may take (`rd.net.timeout.ipv6dad=`).
    pub dad_timeout: Option<Sourced<Duration>>,
    /// How long IPv6 autoconfiguration may take (`rd.net.timeout.ipv6auto=`).
    pub autoconf_timeout: Option<Sourced<Duration>>,
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
            ntp: Vec::new(),
            wanted: Sourced::default_of(false),
            dhcp_vendor_class: None,
            dhcp_timeout: None,
            dhcp_tries: None,
            link_timeout: None,
            carrier_timeout: None,
            dad_timeout: None,
            autoconf_timeout: None,
            handover: Sourced::default_of(NetworkKeeper::default()),
        }
    }
}
