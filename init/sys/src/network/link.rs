//! Interfaces, and virtual interfaces to create.

/// What an interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// A real or virtual Ethernet NIC (ARPHRD_ETHER without rtnl link kind).
    Ethernet,
    /// `lo`.
    Loopback,
    /// A software device; its rtnl kind (`veth`, `bridge`, `vlan` …) or empty.
    Virtual(String),
}

/// A network interface as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// ifindex.
    pub index: u32,
    /// Its name now.
    pub name: String,
    /// What it is.
    pub kind: LinkKind,
    /// Its current hardware address, if it is 6 bytes long. A port of a bond has the bond's address.
    pub mac: Option<[u8; 6]>,
    /// Its hardware address as the device came with it (`IFLA_PERM_ADDRESS`, Linux 5.6); it stays when `mac` changes. `None`
    /// if it is not 6 bytes long or the kernel does not report it.
    pub permanent_mac: Option<[u8; 6]>,
    /// `IFF_UP`.
    pub up: bool,
    /// `IFF_LOWER_UP`: a cable with somebody at the other end.
    pub carrier: bool,
    /// Bytes.
    pub mtu: u32,
    /// The least MTU that its driver takes (`IFLA_MIN_MTU`); 0 where the kernel does not say.
    pub least_mtu: u32,
    /// The largest (`IFLA_MAX_MTU`); 0 where the kernel does not say.
    pub most_mtu: u32,
    /// Other names by which it is known (`IFLA_ALT_IFNAME`).
    pub other_names: Vec<String>,
    /// ifindex of its lower interface (`IFLA_LINK`): the parent of a VLAN, the other end of a veth. `None` if that interface
    /// is in another network namespace.
    pub parent: Option<u32>,
    /// ifindex of its bond or bridge (`IFLA_MASTER`), if it is a port.
    pub port_of: Option<u32>,
    /// What the last router advertisement says of addresses (`IFLA_INET6_FLAGS`); `None` before one came.
    pub router: Option<RouterFlags>,
}

/// The flags of a router advertisement (RFC 4861 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterFlags {
    /// M: addresses are available from DHCPv6.
    pub managed: bool,
    /// O: other settings are available from DHCPv6.
    pub other: bool,
}

impl Link {
    /// The MTU closest to this one that its driver takes.
    pub fn nearest_mtu(&self, wanted: u32) -> u32 {
        let mtu = wanted.max(self.least_mtu);
        if self.most_mtu == 0 { mtu } else { mtu.min(self.most_mtu) }
    }
}

/// A virtual interface to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// Its name: 1 to 15 bytes.
    pub name: String,
    /// What it is.
    pub kind: NewLinkKind,
    /// Its hardware address. With `None` the kernel chooses: a VLAN gets the address of its parent, a bond that of its first
    /// port, a bridge a random one.
    pub mac: Option<[u8; 6]>,
    /// Its MTU in bytes. With `None` the kernel chooses: a VLAN gets the MTU of its parent, the others 1500.
    pub mtu: Option<u32>,
}

/// The kind of a virtual interface to create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewLinkKind {
    /// An 802.1Q VLAN.
    Vlan {
        /// ifindex of the interface that carries the tagged frames.
        parent: u32,
        /// The VLAN identifier: 0 to 4094.
        id: u16,
    },
    /// A bond with the driver's default options. The files in `/sys/class/net/NAME/bonding` change them; some, such as `mode`,
    /// only while the bond is down and has no port.
    Bond,
    /// A bridge without ports.
    Bridge,
}

impl NewLinkKind {
    /// Its rtnl kind, the one in [`LinkKind::Virtual`].
    pub fn name(self) -> &'static str {
        match self {
            NewLinkKind::Vlan { .. } => "vlan",
            NewLinkKind::Bond => "bond",
            NewLinkKind::Bridge => "bridge",
        }
    }
}
