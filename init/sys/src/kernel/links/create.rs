//! Creates and removes virtual interfaces.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVlan, LinkAttribute, LinkInfo, LinkMessage};
use rustix::net::netdevice::name_to_index;

use super::change::link_message;
use crate::kernel::Tried;
use crate::kernel::netlink::Netlink;
use crate::{NewLink, NewLinkKind, Result};

pub(in crate::kernel) fn create(new: &NewLink) -> Result<u32> {
    let mut netlink = Netlink::open()?;
    let operation = format!("create the {}", new.kind.name());
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    netlink.change(&operation, &new.name, libc::RTM_NEWLINK, flags, &message(new))?;
    // The kernel answers with the new interface (NLM_F_ECHO) only since Linux 6.2.
    name_to_index(&netlink, &new.name).tried("find the index of", &new.name)
}

pub(in crate::kernel) fn remove(index: u32) -> Result<()> {
    let subject = format!("interface {index}");
    Netlink::open()?.change("remove", &subject, libc::RTM_DELLINK, 0, &link_message(index))
}

fn message(new: &NewLink) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(new.name.clone()));
    let mut info = Vec::new();
    match new.kind {
        NewLinkKind::Vlan { parent, id } => {
            message.attributes.push(LinkAttribute::Link(parent));
            info.push(LinkInfo::Kind(InfoKind::Vlan));
            info.push(LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(id)])));
        }
        NewLinkKind::Bond => info.push(LinkInfo::Kind(InfoKind::Bond)),
        NewLinkKind::Bridge => info.push(LinkInfo::Kind(InfoKind::Bridge)),
    }
    message.attributes.extend(new.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
    message.attributes.extend(new.mtu.map(LinkAttribute::Mtu));
    message.attributes.push(LinkAttribute::LinkInfo(info));
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_core::Emitable;

    /// An attribute with its length and padding.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn bytes(new: &NewLink) -> Vec<u8> {
        let message = message(new);
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        bytes
    }

    /// The bytes that `strace ip link add …` shows; the numbers are in linux/if_link.h.
    #[test]
    fn the_messages_are_those_of_rtnetlink() {
        let vlan = NewLink {
            name: "eth0.100".to_owned(),
            kind: NewLinkKind::Vlan { parent: 2, id: 100 },
            mac: Some([2, 0, 0, 0, 0, 9]),
            mtu: Some(1496),
        };
        let vlan_data = attribute(1, &100_u16.to_ne_bytes());
        let expected = [
            vec![0; 16],
            attribute(3, b"eth0.100\0"),
            attribute(5, &2_u32.to_ne_bytes()),
            attribute(1, &[2, 0, 0, 0, 0, 9]),
            attribute(4, &1496_u32.to_ne_bytes()),
            attribute(18, &[attribute(1, b"vlan\0"), attribute(2, &vlan_data)].concat()),
        ];
        assert_eq!(bytes(&vlan), expected.concat());
        for (kind, name) in
            [(NewLinkKind::Bond, b"bond\0".to_vec()), (NewLinkKind::Bridge, b"bridge\0".to_vec())]
        {
            let new = NewLink { name: "x0".to_owned(), kind, mac: None, mtu: None };
            let expected = [vec![0; 16], attribute(3, b"x0\0"), attribute(18, &attribute(1, &name))];
            assert_eq!(bytes(&new), expected.concat(), "{kind:?}");
        }
    }
}
