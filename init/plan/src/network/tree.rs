//! The network as a short tree: one line for each link with the links that it is made of below it, then what applies to all.

use super::{Kind, Link, Network, Preferred, Ready};

/// Limit for the lines: settings may name thousands of links and routes.
const MOST: usize = 100;

impl Network {
    /// The lines of the tree, indented by two spaces for each level.
    pub fn tree(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        let mut told: Vec<&str> = Vec::new();
        let (below, top): (Vec<&Link>, Vec<&Link>) =
            self.links.iter().partition(|link| self.is_below(&link.name));
        for link in top.into_iter().chain(below) {
            if !told.contains(&link.name.as_str()) {
                self.branch(&link.name, 0, &mut told, &mut lines);
            }
        }
        lines.extend(self.rest());
        if lines.is_empty() {
            lines.push("no interface is configured".to_owned());
        }
        lines.extend(self.routes.iter().map(ToString::to_string));
        lines.extend(self.name_servers());
        lines.extend(self.time_servers());
        lines.extend(self.preferred.as_ref().map(|preferred| match preferred {
            Preferred::Mac(mac) => format!("preferred interface: {mac}"),
            Preferred::Name(name) => format!("preferred interface: {name}"),
        }));
        lines.extend(self.readiness());
        let count = lines.len();
        if count > MOST {
            lines.truncate(MOST);
            lines.push(format!("… ({count} lines)"));
        }
        lines
    }

    /// A link and those below it. A link that several others are made of is described only once.
    fn branch<'a>(&'a self, name: &'a str, depth: usize, told: &mut Vec<&'a str>, lines: &mut Vec<String>) {
        // This also limits the recursion: each level adds a line.
        if lines.len() > MOST {
            return;
        }
        let indent = "  ".repeat(depth);
        if told.contains(&name) {
            lines.push(format!("{indent}{name}: see above"));
            return;
        }
        told.push(name);
        let Some(link) = self.link(name) else {
            lines.push(format!("{indent}{name}: an interface of the machine"));
            return;
        };
        let kind = match &link.kind {
            Kind::Physical => " (an interface of the machine)".to_owned(),
            kind => kind.to_string(),
        };
        let config = link.config.as_ref().map_or_else(|| "left alone".to_owned(), ToString::to_string);
        lines.push(format!("{indent}{name}{kind}: {config}"));
        for below in link.kind.below() {
            self.branch(below, depth + 1, told, lines);
        }
    }

    /// How the interfaces are configured that no parameter names.
    pub(super) fn rest(&self) -> Option<String> {
        let config = self.others.as_ref()?;
        let whose = if self.links.is_empty() { "every interface" } else { "every other interface" };
        Some(match config.static_address() {
            // One address cannot be that of several interfaces.
            Some(_) => format!("{config} on the first interface with a carrier"),
            None => match &self.ready {
                Ready::Server(server) => match &server.interface {
                    Some(interface) => format!("{config} on {whose}; only {interface} is asked for {server}"),
                    None => format!("{config} on {whose} at once, the first that reaches {server} is used"),
                },
                Ready::Address => format!("{config} on {whose} at once, the first is used"),
            },
        })
    }

    /// When the network is ready, unless [`Self::rest`] says so.
    pub(super) fn readiness(&self) -> Option<String> {
        let is_said = self.others.as_ref().is_some_and(|config| config.static_address().is_none());
        match &self.ready {
            Ready::Server(server) if !is_said => Some(format!("ready when {server} answers")),
            Ready::Server(_) | Ready::Address => None,
        }
    }

    fn time_servers(&self) -> Option<String> {
        let servers: Vec<String> = self.ntp.iter().map(ToString::to_string).collect();
        (!servers.is_empty()).then(|| format!("time servers: {}", servers.join(", ")))
    }

    fn name_servers(&self) -> Option<String> {
        let mut servers: Vec<String> = self.dns.iter().map(ToString::to_string).collect();
        match (servers.is_empty(), self.peer_dns) {
            (true, true) => return None,
            (true, false) => servers.push("those of the network are not used".to_owned()),
            (false, true) => servers.push("then those of the network".to_owned()),
            (false, false) => servers.push("not those of the network".to_owned()),
        }
        Some(format!("name servers: {}", servers.join(", ")))
    }
}
