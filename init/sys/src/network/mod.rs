//! Interfaces, addresses and routes (rtnetlink(7)), and ports for DHCP, DHCPv6 and router advertisements.

mod ask;
mod change;
mod link;
mod ports;
mod reach;
mod table;

pub use ask::{Answer, Question};
pub use change::LinkChange;
pub use link::{Link, LinkKind, NewLink, NewLinkKind, RouterFlags};
pub use ports::{
    DHCP_CLIENT, DHCP_SERVER, DHCP6_CLIENT_PORT, DHCP6_SERVERS, DatagramPort, NdPort, PacketPort, UdpPort,
};
pub use reach::Reach;
pub use table::{Family, LinkAddress, LinkRoute, RouteOrigin};
