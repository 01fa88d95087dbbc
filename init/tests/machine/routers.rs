//! The fake's routers: each gives its interface an address and a default route by router advertisements, as the kernel does it.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use dayfly_sys::{LinkAddress, LinkRoute, RouteOrigin};

use super::{Node, State};

impl State {
    /// An advertisement arrives on an interface, if it has a router. A default route with another metric than that of the interface's
    /// setting is replaced (net/ipv6/ndisc.c, `ndisc_router_discovery`).
    pub fn advertise(&mut self, index: u32) {
        let name = self.links.iter().find(|link| link.index == index).map(|link| link.name.clone());
        let Some(name) = name.filter(|_| self.routers.contains(&index)) else { return };
        let part = u16::try_from(index).unwrap();
        for (address, scope_link) in [
            (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, part), true),
            (Ipv6Addr::new(0x2001, 0xdb8, part, 0, 0, 0, 0, 9), false),
        ] {
            let address = IpAddr::V6(address);
            self.addresses.retain(|one| (one.index, one.address) != (index, address));
            let (tentative, dad_failed, dynamic) = (false, false, !scope_link);
            let (peer, preferred, valid) = (None, None, None);
            self.addresses.push(LinkAddress {
                index,
                address,
                prefix: 64,
                peer,
                scope_link,
                tentative,
                dad_failed,
                dynamic,
                preferred,
                valid,
            });
        }
        let setting = PathBuf::from(format!("/proc/sys/net/ipv6/conf/{name}/ra_defrtr_metric"));
        let metric = match self.nodes.get(&setting) {
            Some(Node::File(bytes)) => String::from_utf8_lossy(bytes).trim().parse().unwrap(),
            _ => 1024,
        };
        let origin = RouteOrigin::RouterAdvertisement;
        self.routes.retain(|route| route.index != index || !route.is_default() || route.origin != origin);
        let gateway = Some(IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xff)));
        let destination = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
        self.routes.push(LinkRoute { destination, gateway, index, metric, origin, lifetime: None });
    }
}
