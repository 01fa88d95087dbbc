//! Changes of an interface.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::RouteAttribute;

use super::address::{address_message, is_removable_address};
use super::route::{is_our_route, main_table, protocol, route_address, route_message};
use crate::kernel::netlink::Netlink;
use crate::{Cause, Family, LinkChange, Result, SysError};

pub(in crate::kernel) fn change(index: u32, change: &LinkChange) -> Result<()> {
    let mut netlink = Netlink::open()?;
    let subject = format!("interface {index}");
    let add = NLM_F_CREATE | NLM_F_REPLACE;
    let mut set = |operation: &str, attribute: LinkAttribute| {
        let mut message = link_message(index);
        message.attributes.push(attribute);
        netlink.change(operation, &subject, libc::RTM_NEWLINK, 0, &message)
    };
    match change {
        LinkChange::Up | LinkChange::Down => {
            let up = *change == LinkChange::Up;
            let mut message = link_message(index);
            message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
            message.header.change_mask = LinkFlags::Up;
            netlink.change(if up { "set up" } else { "set down" }, &subject, libc::RTM_NEWLINK, 0, &message)
        }
        LinkChange::Mtu(bytes) => set(&format!("set the MTU {bytes} of"), LinkAttribute::Mtu(*bytes)),
        LinkChange::Mac(mac) => {
            let words = mac.map(|byte| format!("{byte:02x}")).join(":");
            set(&format!("set the hardware address {words} of"), LinkAttribute::Address(mac.to_vec()))
        }
        LinkChange::Name(name) => {
            set(&format!("set the name {name} of"), LinkAttribute::IfName(name.clone()))
        }
        LinkChange::Port(Some(controller)) => {
            set(&format!("attach to interface {controller}"), LinkAttribute::Controller(*controller))
        }
        LinkChange::Port(None) => set("release from its bond or bridge", LinkAttribute::Controller(0)),
        LinkChange::Address { address, prefix, valid, peer } => {
            let other = peer.map_or_else(String::new, |peer| format!(" peer {peer}"));
            let operation = format!("add {address}/{prefix}{other} to");
            let message = address_message(index, *address, *prefix, *valid, *peer)
                .map_err(|words| SysError::new(&*operation, &*subject, Cause::Unsupported, words))?;
            netlink.change(&operation, &subject, libc::RTM_NEWADDR, add, &message)
        }
        LinkChange::Route { destination, gateway, metric, on_link, source, origin } => {
            let to = destination.map_or_else(|| "default".to_owned(), |(net, bits)| format!("{net}/{bits}"));
            let via = gateway.map_or_else(String::new, |gateway| format!(" via {gateway}"));
            let operation = format!("add the route {to}{via} to");
            let mut message = route_message(*destination, *gateway, *on_link)
                .map_err(|words| SysError::new(&*operation, &*subject, Cause::Unsupported, words))?;
            message.attributes.push(RouteAttribute::Oif(index));
            message.header.protocol = protocol(*origin);
            if let Some(source) = source {
                message.attributes.push(RouteAttribute::PrefSource(route_address(*source)));
            }
            if *metric != 0 {
                message.attributes.push(RouteAttribute::Priority(*metric));
            }
            netlink.change(&operation, &subject, libc::RTM_NEWROUTE, add, &message)
        }
        LinkChange::RouteGone { destination, gateway, metric } => {
            let to = destination.map_or_else(|| "default".to_owned(), |(net, bits)| format!("{net}/{bits}"));
            let operation = format!("remove the route {to} from");
            let mut message = route_message(*destination, *gateway, false)
                .map_err(|words| SysError::new(&*operation, &*subject, Cause::Unsupported, words))?;
            message.attributes.extend([RouteAttribute::Oif(index), RouteAttribute::Priority(*metric)]);
            gone(netlink.change(&operation, &subject, libc::RTM_DELROUTE, 0, &message))
        }
        LinkChange::Flush(of) => flush(&mut netlink, index, *of, &subject),
    }
}

pub(super) fn link_message(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

/// What is to be removed may have gone with another one, or its time was over.
fn gone(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if matches!(error.errno(), Some(libc::ESRCH | libc::EADDRNOTAVAIL)) => Ok(()),
        result => result,
    }
}

/// Takes routes, then addresses away. What the kernel itself keeps stays: IPv6 link-local addresses (without them the
/// interface could not speak IPv6 again before it goes down and up) and its own routes, which go with their addresses.
fn flush(netlink: &mut Netlink, index: u32, of: Option<Family>, subject: &str) -> Result<()> {
    for row in main_table(netlink, "list the routes of", subject)? {
        if is_our_route(&row, index, of) {
            gone(netlink.change_raw("remove a route of", subject, libc::RTM_DELROUTE, 0, &row))?;
        }
    }
    for row in
        netlink.dump("list the addresses of", subject, libc::RTM_GETADDR, &AddressMessage::default())?
    {
        if is_removable_address(&row, index, of) {
            gone(netlink.change_raw("remove an address of", subject, libc::RTM_DELADDR, 0, &row))?;
        }
    }
    Ok(())
}
