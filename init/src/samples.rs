//! Values for the tests of several modules.

use dayfly_sys::{Link, LinkKind};

/// An Ethernet interface that is up.
pub fn ethernet(index: u32, name: &str) -> Link {
    Link {
        index,
        name: name.to_owned(),
        mac: None,
        permanent_mac: None,
        kind: LinkKind::Ethernet,
        up: true,
        carrier: true,
        mtu: 1500,
        least_mtu: 0,
        most_mtu: 0,
        other_names: Vec::new(),
        parent: None,
        port_of: None,
        router: None,
    }
}
