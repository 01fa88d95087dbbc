//! The network in one line, as the table of a plan shows it.

use std::fmt;

use super::{AddressSource, Config, Kind, Link, Name, Network, Preferred, Route, Server, StaticAddress};

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links = self.links.iter().map(ToString::to_string);
        let names = self.names.iter().map(ToString::to_string);
        let parts: Vec<String> = names.chain(links).chain(self.rest()).collect();
        f.write_str(if parts.is_empty() { "no interface is configured" } else { "" })?;
        f.write_str(&parts.join("; "))?;
        match &self.preferred {
            Some(Preferred::Mac(mac)) => write!(f, "; preferred interface {mac}")?,
            Some(Preferred::Name(name)) => write!(f, "; preferred interface {name}")?,
            None => {}
        }
        if let Some(class) = &self.vendor_class {
            write!(f, ", vendor class {class:?}")?;
        }
        if let Some(wait) = self.link_wait {
            write!(f, ", interfaces within {} s", wait.as_secs())?;
        }
        for route in &self.routes {
            write!(f, "; {route}")?;
        }
        for dns in &self.dns {
            write!(f, "; dns {dns}")?;
        }
        for ntp in &self.ntp {
            write!(f, "; ntp {ntp}")?;
        }
        f.write_str(if self.peer_dns { "" } else { "; no dns of the network" })?;
        self.readiness().map_or(Ok(()), |text| write!(f, "; {text}"))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, interface, port } = self;
        match interface {
            Some(interface) => write!(f, "[{host}%{interface}]:{port}"),
            None if host.contains(':') => write!(f, "[{host}]:{port}"),
            None => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is named {}", self.mac, self.name)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: ", self.name, self.kind)?;
        match &self.config {
            Some(config) => config.fmt(f),
            None => f.write_str("left alone"),
        }
    }
}

/// In brackets behind a name; a physical link has none.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Physical => Ok(()),
            Kind::Vlan { id, parent } => write!(f, " (VLAN {id} of {parent})"),
            Kind::Bond { ports, options } => {
                write!(f, " (bond of {}", ports.join(" "))?;
                for (name, value) in options {
                    write!(f, ", {name}={value}")?;
                }
                f.write_str(")")
            }
            Kind::Bridge { ports } => write!(f, " (bridge of {})", ports.join(" ")),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            0 => f.write_str("route default")?,
            prefix => write!(f, "route {}/{prefix}", self.destination)?,
        }
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        self.interface.as_ref().map_or(Ok(()), |name| write!(f, " on {name}"))
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        f.write_str(if sources.is_empty() { "no address" } else { "" })?;
        f.write_str(&sources.join(" and "))?;
        for dns in &self.dns {
            write!(f, " dns {dns}")?;
        }
        for ntp in &self.ntp {
            write!(f, " ntp {ntp}")?;
        }
        if let Some(mac) = self.mac {
            write!(f, " mac {mac}")?;
        }
        if let Some(mtu) = self.mtu {
            write!(f, " mtu {mtu}")?;
        }
        self.limits.fmt(f)
    }
}

impl fmt::Display for AddressSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressSource::Dhcp4 => f.write_str("dhcp4"),
            AddressSource::RouterAdvertisement => f.write_str("slaac"),
            AddressSource::Dhcp6 => f.write_str("dhcp6"),
            AddressSource::LinkLocal => f.write_str("link-local"),
            AddressSource::Static(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for StaticAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)?;
        if let Some(peer) = self.peer {
            write!(f, " to {peer}")?;
        }
        self.gateway.map_or(Ok(()), |gateway| write!(f, " via {gateway}"))
    }
}
