//! The identity of the node: host name, hosts, machine-id, resolver.

use dayfly_formats::mac::Mac;
use dayfly_plan::settings::value::HostName;
use dayfly_plan::{Code, IdentityPlan};
use dayfly_sys::{Link, LinkKind, SysError};
use sha2::{Digest, Sha256};

use super::hosts;
use crate::context::{Context, Done};
use crate::events::{Event, Level, NodeFact};
use crate::steps::image::mounted_root;
use crate::steps::network::{name, resolv_conf};
use crate::steps::root::container;
use crate::trees::{OS, kept};
use crate::{Failure, Learned};

/// Writes the node's identity into the OS's ephemeral /etc.
pub fn write(cx: &Context, plan: &IdentityPlan) -> Result<Done, Failure> {
    let mac = own_mac(cx);
    let own = if plan.is_installed { id_of_root(cx) } else { None };
    let (machine_id, seed) =
        own.map_or_else(|| machine_id(cx, plan.uuid.as_deref(), mac), |id| (id, mounted_root::ORIGIN));
    let given = plan.hostname.clone().map(|name| (name, "settings")).or_else(|| name::given(cx));
    let (name, origin) = given.unwrap_or_else(|| name_by_hardware(mac, &machine_id));
    // If the name comes from an installed OS, its hosts file already fits the name.
    let hosts = if origin == mounted_root::ORIGIN {
        Ok(())
    } else {
        hosts::write(&*cx.sys, &name, cx.known.network.as_ref())
    };
    told(cx, "hosts", hosts);
    write_files(cx, &name, &machine_id);
    cx.sys
        .set_hostname(name.as_str())
        .map_err(|error| Failure::from_sys(Code::NodeWrite, "set the host name", &error))?;
    cx.events.emit(Event::Node(NodeFact::Identity(name.to_string(), machine_id)));
    let said = format!("{name} (from {origin}), machine-id from {seed}");
    Ok(Done::with(said).and(Learned::Name(name)))
}

/// Logs a file that could not be written. A persistent /etc can be full, or have a directory at this path.
fn told(cx: &Context, file: &str, written: Result<(), SysError>) {
    if let Err(error) = written {
        cx.tolerate(&Failure::from_sys(Code::NodeWrite, format!("write /etc/{file}"), &error));
    }
}

fn write_files(cx: &Context, name: &HostName, machine_id: &str) {
    let put = |file: &str, text: &str, mode: u32| {
        let path = OS.at("/etc").join(file);
        told(cx, file, cx.sys.write(&path, text.as_bytes(), mode));
    };
    put("hostname", &format!("{name}\n"), 0o644);
    put("machine-id", &format!("{machine_id}\n"), 0o444);
    let Some(network) = cx.known.network.as_ref().filter(|network| !network.dns.is_empty()) else { return };
    // A symlink belongs to a resolver service of the OS, which gets the servers itself.
    match container::has_resolver(cx) {
        Ok(true) => {}
        Ok(false) => {
            // Without the list, the file has the names.
            let links = cx.sys.links().unwrap_or_default();
            let index = |name: &str| links.iter().find(|link| link.name == name).map(|link| link.index);
            put("resolv.conf", &resolv_conf::text_for_os(network, index), 0o644);
        }
        Err(error) => told(cx, "resolv.conf", Err(error)),
    }
}

/// Reads the machine-id of the mounted root. machine-id(5): 32 lower-case hexadecimal digits, not all 0.
fn id_of_root(cx: &Context) -> Option<String> {
    let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    mounted_root::line(cx, "machine-id")
        .filter(|id| id.len() == 32 && id.bytes().all(is_digit) && id.bytes().any(|digit| digit != b'0'))
}

fn name_by_hardware(mac: Option<Mac>, machine_id: &str) -> (HostName, &'static str) {
    let (digits, origin) = match mac {
        Some(mac) => (mac.to_string().replace(':', ""), "MAC address"),
        None => (machine_id.chars().take(12).collect(), "machine-id"),
    };
    match format!("node-{digits}").parse() {
        Ok(name) => (name, origin),
        Err(_) => (HostName::localhost(), "default"),
    }
}

/// The MAC address from which the name and the machine-id are derived. It must be the same at each boot, independent of
/// the winning interface and of the order of discovery. Vendor addresses come before locally administered ones.
fn own_mac(cx: &Context) -> Option<Mac> {
    // Without interfaces there is no MAC address.
    lowest(&cx.sys.links().unwrap_or_default())
}

fn lowest(links: &[Link]) -> Option<Mac> {
    let macs = links.iter().filter(|link| link.kind == LinkKind::Ethernet).filter_map(|link| link.mac);
    // The U/L bit of IEEE 802.
    macs.min_by_key(|mac| (mac.first().is_some_and(|first| first & 2 != 0), *mac)).map(Mac)
}

/// machine-id(5): the same at every boot of this machine, without a disk. Derived from the firmware's UUID, else from
/// the MAC address. It is a hash, because the UUID may serve as a secret elsewhere (machine-id(5), "should be
/// considered confidential").
fn machine_id(cx: &Context, uuid: Option<&str>, mac: Option<Mac>) -> (String, &'static str) {
    let (seed, origin) = match (uuid, mac) {
        (Some(uuid), _) => (uuid.to_owned(), "firmware UUID"),
        (None, Some(mac)) => (mac.to_string(), "MAC address"),
        (None, None) => by_chance(cx),
    };
    (derive("dayfly machine-id v1", &seed), origin)
}

/// A random seed as the last resort. It is stored on the state disk, if there is one, so that it is the same at the
/// next boot.
fn by_chance(cx: &Context) -> (String, &'static str) {
    let file = kept().join("machine-id-seed");
    let old = cx.known.state.as_ref().and_then(|_| cx.sys.read(&file).ok());
    if let Some(seed) = old.filter(|seed| !seed.is_empty()) {
        return (String::from_utf8_lossy(&seed).into_owned(), "random, stored on the state disk");
    }
    let mut random = [0; 16];
    cx.sys.random(&mut random);
    let seed = format!("{random:?}");
    if cx.known.state.is_none() {
        return (seed, "random, new at each boot");
    }
    let folder = cx.sys.make_dir(&kept(), 0o700);
    match folder.and_then(|()| cx.sys.write(&file, seed.as_bytes(), 0o600)) {
        Ok(()) => (seed, "random, stored on the state disk"),
        Err(error) => {
            cx.note(Level::Warning, error.to_string());
            (seed, "random, new at each boot")
        }
    }
}

/// An identifier for one purpose: 32 hexadecimal digits, always the same for the same seed.
pub(super) fn derive(purpose: &str, seed: &str) -> String {
    let digest = Sha256::new().chain_update(purpose).chain_update(b"\0").chain_update(seed).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.iter()).for_each(|(byte, hashed)| *byte = *hashed);
    // Version 4, variant 1 (RFC 9562 §5.4), like systemd's own ids.
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    base16ct::lower::encode_string(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_cards_does_not_matter() {
        let card = |index: u32, kind: LinkKind, mac: [u8; 6]| Link {
            kind,
            mac: Some(mac),
            permanent_mac: Some(mac),
            ..crate::samples::ethernet(index, &format!("eth{index}"))
        };
        let ethernet = |index: u32, first: u8| card(index, LinkKind::Ethernet, [first, 1, 1, 1, 1, 1]);
        let bridge = card(9, LinkKind::Virtual("bridge".to_owned()), [0, 0, 0, 0, 0, 1]);
        let mut links = vec![ethernet(1, 0x52), bridge, ethernet(2, 0x3c), ethernet(3, 0x02)];
        for _ in 0..links.len() {
            links.rotate_left(1);
            assert_eq!(lowest(&links), Some(Mac([0x3c, 1, 1, 1, 1, 1])));
        }
        links.retain(|link| link.mac != Some([0x3c, 1, 1, 1, 1, 1]));
        assert_eq!(
            lowest(&links),
            Some(Mac([0x02, 1, 1, 1, 1, 1])),
            "locally administered addresses are used if there are no others"
        );
        assert_eq!(lowest(&[]), None);
    }

    #[test]
    fn a_machine_id_is_a_stable_version_4_uuid() {
        let id = derive("dayfly machine-id v1", "4c4c4544-0051");
        assert_eq!(id, derive("dayfly machine-id v1", "4c4c4544-0051"));
        assert_ne!(id, derive("dayfly machine-id v1", "4c4c4544-0052"));
        assert_eq!((id.len(), &id[12..13]), (32, "4"));
        assert!("89ab".contains(&id[16..17]));
    }
}
