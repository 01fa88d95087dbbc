//! The interface of a link-local server. Its link-local address is enough to reach that server, with or without a router.

use crate::network::{AddressSource, Config, Kind, Link, Ready};

/// Adds the link-local address to the interface that the server's address names. The interface keeps what else it is configured with.
pub(super) fn add(links: &mut Vec<Link>, others: Option<&Config>, ready: &Ready) -> Option<String> {
    let Ready::Server(server) = ready else { return None };
    let name = server.interface.as_ref()?;
    if links.iter().any(|link| link.kind.ports().contains(name)) {
        let words =
            "is a port of a bond or bridge and can have no address; name that bond or bridge in the URL";
        return Some(format!("The server {server}: {name} {words}."));
    }
    let was_named = links.iter().any(|link| link.name == *name);
    if !was_named {
        // A static address without an interface is for one interface, which may be another one.
        let config = others.filter(|config| config.static_address().is_none()).cloned();
        links.push(Link { name: name.clone(), kind: Kind::Physical, config });
    }
    let link = links.iter_mut().find(|link| link.name == *name)?;
    let note = (was_named && link.config.is_none())
        .then(|| format!("ip={name}:off is not followed: the URL of the server {server} names {name}."));
    let addresses = &mut link.config.get_or_insert_default().addresses;
    let is_enough = |source: &AddressSource| match source {
        AddressSource::LinkLocal => true,
        AddressSource::Static(address) => address.address.is_ipv6(),
        _ => false,
    };
    if !addresses.iter().any(is_enough) {
        addresses.push(AddressSource::LinkLocal);
    }
    note
}
