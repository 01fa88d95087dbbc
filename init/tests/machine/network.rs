//! The network of the fake: interfaces, their addresses and routes, and the ports on them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dayfly_plan::network::needs_onlink;
use dayfly_sys::{
    Answer, Cause, DatagramPort, Family, Link, LinkAddress, LinkChange, LinkKind, LinkRoute, NdPort, Network,
    NewLink, NewLinkKind, PacketPort, Question, Reach, Result, SysError, UdpPort,
};

use super::streams::Silence;
use super::{EEXIST, EINVAL, ENETUNREACH, ENODEV, EPERM, Machine, State, dhcp, errno, link};

impl Network for Machine {
    fn links(&self) -> Result<Vec<Link>> {
        Ok(self.call("links", "all")?.links.clone())
    }

    fn create_link(&self, new: &NewLink) -> Result<u32> {
        self.call("create_link", &new.name)?.create(new)
    }

    fn remove_link(&self, index: u32) -> Result<()> {
        let mut state = self.call("remove_link", index)?;
        state.link(index)?;
        state.remove(index);
        Ok(())
    }

    fn change_link(&self, index: u32, change: &LinkChange) -> Result<()> {
        let name = match change {
            LinkChange::Up => "up",
            LinkChange::Down => "down",
            LinkChange::Mtu(_) => "mtu",
            LinkChange::Mac(_) => "mac",
            LinkChange::Name(_) => "name",
            LinkChange::Port(_) => "port",
            LinkChange::Address { .. } => "address",
            LinkChange::Route { .. } => "route",
            LinkChange::RouteGone { .. } => "route gone",
            LinkChange::Flush(_) => "flush",
        };
        let mut state = self.call("change_link", format!("{index} {name}"))?;
        state.change(index, change)?;
        // The kernel asks the routers.
        if *change == LinkChange::Up {
            state.advertise(index);
        }
        Ok(())
    }

    fn addresses(&self) -> Result<Vec<LinkAddress>> {
        Ok(self.call("addresses", "all")?.addresses.clone())
    }

    fn routes(&self) -> Result<Vec<LinkRoute>> {
        Ok(self.call("routes", "all")?.routes.clone())
    }

    fn packet_port(&self, index: u32) -> Result<Box<dyn PacketPort>> {
        let state = self.call("packet_port", index)?;
        let answers = state.dhcp && !state.silent.contains(&index);
        Ok(Box::new(dhcp::Port::new(answers, index, Arc::clone(&self.clock), Arc::clone(&self.state))))
    }

    fn arp_port(&self, index: u32, address: Ipv4Addr) -> Result<Box<dyn PacketPort>> {
        self.call("arp_port", format!("{index} {address}"))?.link(index)?;
        Ok(Box::new(Silence(Arc::clone(&self.clock))))
    }

    fn udp_port(&self, index: u32, port: u16) -> Result<Box<dyn UdpPort>> {
        self.call("udp_port", format!("{index} {port}"))?.link(index)?;
        Ok(Box::new(Silence(Arc::clone(&self.clock))))
    }

    fn nd_options(&self) -> Result<Box<dyn NdPort>> {
        self.call("nd_options", "all").map(drop)?;
        Ok(Box::new(Silence(Arc::clone(&self.clock))))
    }

    fn solicit_routers(&self, index: u32) -> Result<()> {
        let mut state = self.call("solicit_routers", index)?;
        state.link(index)?;
        state.advertise(index);
        Ok(())
    }

    fn datagram_port6(&self, index: u32, port: u16) -> Result<Box<dyn DatagramPort>> {
        self.call("datagram_port6", format!("{index} {port}"))?.link(index)?;
        Ok(Box::new(Silence(Arc::clone(&self.clock))))
    }

    fn reach(&self, server: &Reach<'_>, index: u32, limit: Duration) -> Result<()> {
        let mut state = self.call("reach", format!("{}:{} {index}", server.host, server.port))?;
        state.link(index)?;
        let behind = state.server_behind;
        drop(state);
        if behind.is_none_or(|behind| behind == index) {
            return Ok(());
        }
        self.clock.sleep(limit);
        Err(SysError::new("connect to", server.host, Cause::TimedOut, "no answer"))
    }

    fn ask(
        &self,
        question: &Question<'_>,
        index: u32,
        is_answer: &mut dyn FnMut(&[u8]) -> bool,
        limit: Duration,
    ) -> Result<Answer> {
        let mut state = self.call("ask", format!("{}:{} {index}", question.host, question.port))?;
        state.link(index)?;
        let server = state.time_servers.get(question.host).cloned();
        drop(state);
        let began = self.clock.now();
        let took = || self.clock.now().saturating_sub(began);
        for (after, payload) in server.map_or_else(Vec::new, |server| server.replies(question.payload)) {
            self.clock.sleep(after.min(limit.saturating_sub(took())));
            if took() < limit && is_answer(&payload) {
                let from = ([10, 0, 2, 9], question.port).into();
                return Ok(Answer { payload, from, took: took() });
            }
        }
        self.clock.sleep(limit.saturating_sub(took()));
        Err(SysError::new("ask", question.host, Cause::TimedOut, "no answer"))
    }

    fn set_hostname(&self, name: &str) -> Result<()> {
        self.call("set_hostname", name)?.hostname = Some(name.to_owned());
        Ok(())
    }
}

impl State {
    /// The interfaces that have an address, by index.
    pub fn addressed(&self) -> Vec<u32> {
        let indices: BTreeSet<u32> = self.addresses.iter().map(|address| address.index).collect();
        indices.into_iter().collect()
    }

    /// The least metric of the default routes of each interface that has one.
    pub fn defaults(&self) -> BTreeMap<u32, u32> {
        let mut least = BTreeMap::new();
        for route in self.routes.iter().filter(|route| route.is_default()) {
            let metric = least.entry(route.index).or_insert(route.metric);
            *metric = route.metric.min(*metric);
        }
        least
    }

    fn link(&mut self, index: u32) -> Result<&mut Link> {
        let found = self.links.iter_mut().find(|link| link.index == index);
        found.ok_or_else(|| errno("find the interface", Path::new(&index.to_string()), ENODEV))
    }

    fn check_name_is_free(&self, name: &str) -> Result<()> {
        let is_taken = |link: &Link| link.name == name || link.other_names.iter().any(|other| other == name);
        if self.links.iter().any(is_taken) { Err(errno("name", Path::new(name), EEXIST)) } else { Ok(()) }
    }

    fn create(&mut self, new: &NewLink) -> Result<u32> {
        self.check_name_is_free(&new.name)?;
        let index = self.links.iter().map(|link| link.index).max().unwrap_or(0) + 1;
        let mut made = Link {
            kind: LinkKind::Virtual(new.kind.name().to_owned()),
            permanent_mac: None,
            ..link(index, &new.name)
        };
        if let NewLinkKind::Vlan { parent, .. } = new.kind {
            let parent = self.link(parent)?;
            (made.mac, made.mtu, made.parent) = (parent.mac, parent.mtu, Some(parent.index));
        }
        made.mac = new.mac.or(made.mac);
        made.mtu = new.mtu.unwrap_or(made.mtu);
        self.links.push(made);
        Ok(index)
    }

    /// With an interface go its VLANs, and its ports are free again.
    fn remove(&mut self, index: u32) {
        self.flush(index, None);
        self.links.retain(|link| link.index != index);
        let vlans: Vec<u32> =
            self.links.iter().filter(|link| link.parent == Some(index)).map(|link| link.index).collect();
        for vlan in vlans {
            self.remove(vlan);
        }
        for link in self.links.iter_mut().filter(|link| link.port_of == Some(index)) {
            release(link);
        }
    }

    /// Whether a next hop is in the network of an address of the link. The kernel refuses other ones, unless the route says that
    /// they are on the link.
    fn has_on_link(&self, index: u32, gateway: IpAddr) -> bool {
        let is_link_local = matches!(gateway, IpAddr::V6(gateway) if gateway.is_unicast_link_local());
        let mut addresses = self.addresses.iter().filter(|one| one.index == index);
        is_link_local
            || addresses
                .any(|one| one.peer == Some(gateway) || !needs_onlink(one.address, one.prefix, gateway))
    }

    fn flush(&mut self, index: u32, of: Option<Family>) {
        let is_of = |address: IpAddr| of.is_none_or(|of| of == Family::of(address));
        // The kernel's link-local addresses stay.
        self.addresses.retain(|one| one.index != index || one.scope_link || !is_of(one.address));
        self.routes.retain(|route| route.index != index || !is_of(route.destination.0));
    }

    fn change(&mut self, index: u32, change: &LinkChange) -> Result<()> {
        if let LinkChange::Name(name) = change {
            self.check_name_is_free(name)?;
        }
        if let LinkChange::Route { gateway: Some(gateway), on_link: false, .. } = change
            && !self.has_on_link(index, *gateway)
        {
            return Err(errno("add a route to", Path::new(&self.link(index)?.name), ENETUNREACH));
        }
        let unplugged = self.unplugged.contains(&index);
        let link = self.link(index)?;
        match change {
            LinkChange::Up => (link.up, link.carrier) = (true, !unplugged),
            LinkChange::Down => (link.up, link.carrier) = (false, false),
            LinkChange::Mtu(mtu) if *mtu < link.least_mtu || *mtu > link.most_mtu => {
                return Err(errno("set the MTU of", Path::new(&link.name), EINVAL));
            }
            LinkChange::Mtu(mtu) => link.mtu = *mtu,
            LinkChange::Mac(mac) => link.mac = Some(*mac),
            LinkChange::Name(name) => name.clone_into(&mut link.name),
            LinkChange::Port(None) => release(link),
            LinkChange::Port(Some(controller)) => return self.attach(index, *controller),
            LinkChange::Address { address, prefix, valid, peer } => {
                let address = LinkAddress {
                    index,
                    address: *address,
                    prefix: *prefix,
                    peer: *peer,
                    scope_link: false,
                    tentative: false,
                    dad_failed: false,
                    dynamic: valid.is_some(),
                    preferred: *valid,
                    valid: *valid,
                };
                self.addresses.retain(|old| (old.index, old.address) != (index, address.address));
                self.addresses.push(address);
            }
            LinkChange::Route { destination, gateway, metric, origin, .. } => {
                let any = if gateway.is_some_and(|gateway| gateway.is_ipv6()) { "::" } else { "0.0.0.0" };
                let route = LinkRoute {
                    destination: destination.unwrap_or_else(|| (any.parse().unwrap(), 0)),
                    gateway: *gateway,
                    index,
                    metric: *metric,
                    origin: *origin,
                    lifetime: None,
                };
                // The kernel's key of a route.
                self.routes.retain(|old| (old.destination, old.metric) != (route.destination, route.metric));
                self.routes.push(route);
            }
            LinkChange::RouteGone { destination, gateway, metric } => {
                let is_it = |route: &LinkRoute| {
                    let to = (route.destination.1 != 0).then_some(route.destination);
                    (route.index, to, route.gateway, route.metric) == (index, *destination, *gateway, *metric)
                };
                self.routes.retain(|route| !is_it(route));
            }
            LinkChange::Flush(of) => self.flush(index, *of),
        }
        Ok(())
    }

    /// A bond takes ports that are down, gets the hardware address of its first and gives it to the others.
    fn attach(&mut self, index: u32, controller: u32) -> Result<()> {
        let is_first = self.links.iter().all(|link| link.port_of != Some(controller));
        let (name, up, mac) = (self.link(index)?.name.clone(), self.link(index)?.up, self.link(index)?.mac);
        let bond = self.link(controller)?;
        let is_bond = bond.kind == LinkKind::Virtual("bond".to_owned());
        if is_bond && up {
            return Err(errno("attach", Path::new(&name), EPERM));
        }
        if is_bond && is_first {
            bond.mac = mac;
        }
        let mac = if is_bond { bond.mac } else { mac };
        let port = self.link(index)?;
        (port.port_of, port.mac) = (Some(controller), mac);
        if is_bond {
            (port.up, port.carrier) = (true, true);
        }
        Ok(())
    }
}

fn release(link: &mut Link) {
    link.port_of = None;
    link.mac = link.permanent_mac.or(link.mac);
}
