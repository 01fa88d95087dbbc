//! Who this node is: host name, hosts, machine-id, resolver.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use dayfly_plan::settings::value::HostName;
use dayfly_plan::{Code, IdentityPlan, paths};
use dayfly_sys::{FileKind, Link, LinkKind, Sys, SysError};
use dayfly_wire::mac::Mac;
use sha2::{Digest, Sha256};

use crate::context::{Context, Done};
use crate::events::{Event, Level, NodeFact};
use crate::{Failure, Learned, NetworkUp};

/// Where a name comes from that the installed OS has.
const OF_ROOT: &str = "root";

/// Writes the node's identity into the OS's ephemeral /etc.
pub fn write<S: Sys>(cx: &Context<S>, plan: &IdentityPlan) -> Result<Done, Failure> {
    let mac = own_mac(cx);
    let own = if plan.is_installed { own_id(cx) } else { None };
    let (machine_id, seed) = own.map_or_else(|| machine_id(cx, mac), |id| (id, OF_ROOT));
    let own = if plan.is_installed { own_name(cx) } else { None };
    let (name, origin) = choose_name(plan, own, cx.known.network.as_ref(), mac, &machine_id);
    // What an administrator wrote into the hosts of an installed OS fits the name that it has.
    let hosts = (origin != OF_ROOT).then(|| hosts(&name, cx.known.network.as_ref()));
    write_files(cx, &name, hosts.as_deref(), &machine_id)
        .map_err(|error| Failure::from_sys(Code::NodeWrite, "write the node's identity into /etc", &error))?;
    cx.events.emit(Event::Node(NodeFact::Identity(name.to_string(), machine_id)));
    let said = format!("{name} (from {origin}), machine-id from {seed}");
    Ok(Done::with(said).and(Learned::Name(name)))
}

fn write_files<S: Sys>(
    cx: &Context<S>,
    name: &HostName,
    hosts: Option<&str>,
    machine_id: &str,
) -> Result<(), SysError> {
    let etc = Path::new(paths::ROOT).join("etc");
    let put = |file: &str, text: &str, mode: u32| cx.sys.write(&etc.join(file), text.as_bytes(), mode);
    put("hostname", &format!("{name}\n"), 0o644)?;
    if let Some(hosts) = hosts {
        put("hosts", hosts, 0o644)?;
    }
    put("machine-id", &format!("{machine_id}\n"), 0o444)?;
    if let Some(network) = &cx.known.network
        && !network.dns.is_empty()
        // A symlink belongs to a resolver service of the OS, which asks the network itself.
        && cx.sys.inspect(&etc.join("resolv.conf"))? != Some(FileKind::Symlink)
    {
        put("resolv.conf", &resolv_conf(network), 0o644)?;
    }
    cx.sys.set_hostname(name.as_str())
}

/// What the installed OS calls itself. The name that an installer leaves where nobody gave one is none.
fn own_name<S: Sys>(cx: &Context<S>) -> Option<HostName> {
    let text = own_file(cx, "hostname")?;
    text.parse().ok().filter(|name| *name != HostName::localhost())
}

/// machine-id(5): 32 lower-case hexadecimal digits, not all of them 0.
fn own_id<S: Sys>(cx: &Context<S>) -> Option<String> {
    let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    own_file(cx, "machine-id")
        .filter(|id| id.len() == 32 && id.bytes().all(is_digit) && id.bytes().any(|digit| digit != b'0'))
}

/// A line of the installed OS's /etc.
fn own_file<S: Sys>(cx: &Context<S>, name: &str) -> Option<String> {
    // Without it, the node is named as one without a disk of its own is.
    let bytes = cx.sys.read(&Path::new(paths::LOWER).join("etc").join(name)).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned()).filter(|text| !text.is_empty())
}

fn choose_name(
    plan: &IdentityPlan,
    own: Option<HostName>,
    network: Option<&NetworkUp>,
    mac: Option<Mac>,
    machine_id: &str,
) -> (HostName, &'static str) {
    if let Some(name) = &plan.hostname {
        return (name.clone(), "settings");
    }
    if let Some(name) = own {
        return (name, OF_ROOT);
    }
    // The network's name was checked where it came in; one that is no host name is as good as none.
    if let Some(name) = network.and_then(|network| network.hostname.as_ref()?.parse().ok()) {
        return (name, "network");
    }
    let (digits, origin) = match mac {
        Some(mac) => (mac.to_string().replace(':', ""), "MAC address"),
        None => (machine_id.chars().take(12).collect(), "machine-id"),
    };
    match format!("node-{digits}").parse() {
        Ok(name) => (name, origin),
        Err(_) => (HostName::localhost(), "default"),
    }
}

/// The card that a name and an id are made from: the same at each boot, whichever card won the race and in whatever order
/// they were found. Addresses that a maker gave come before those that somebody chose.
fn own_mac<S: Sys>(cx: &Context<S>) -> Option<Mac> {
    // Without interfaces there is no MAC to go by.
    lowest(&cx.sys.links().unwrap_or_default())
}

fn lowest(links: &[Link]) -> Option<Mac> {
    let macs = links.iter().filter(|link| link.kind == LinkKind::Ethernet).filter_map(|link| link.mac);
    // IEEE 802, the U/L bit.
    macs.min_by_key(|mac| (mac.first().is_some_and(|first| first & 2 != 0), *mac)).map(Mac)
}

/// hosts(5). 127.0.1.1 is Debian's address for the own name of a machine without a fixed one (Debian manual 5.1.1).
pub fn hosts(name: &HostName, network: Option<&NetworkUp>) -> String {
    let own = network.map_or_else(|| "127.0.1.1".to_owned(), |network| network.address.to_string());
    let names = match (name.as_str().split_once('.'), network.and_then(|network| network.domain.as_ref())) {
        (Some((short, _)), _) => format!("{name} {short}"),
        (None, Some(domain)) => format!("{name}.{domain} {name}"),
        (None, None) => name.to_string(),
    };
    format!(
        "127.0.0.1 localhost\n{own} {names}\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"
    )
}

/// resolv.conf(5): musl and glibc read three servers at most.
pub fn resolv_conf(network: &NetworkUp) -> String {
    let mut text = String::new();
    for server in network.dns.iter().take(3) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "nameserver {server}");
    }
    let domains: Vec<&str> = network
        .search
        .iter()
        .chain(network.domain.iter().filter(|domain| !network.search.contains(domain)))
        .map(String::as_str)
        .collect();
    if !domains.is_empty() {
        let _ = writeln!(text, "search {}", domains.join(" "));
    }
    text
}

/// machine-id(5): the same at every boot of this machine, without a disk: from the firmware's UUID, else the MAC.
/// Hashed, because the UUID itself may serve as a secret elsewhere (machine-id(5), "should be considered confidential").
fn machine_id<S: Sys>(cx: &Context<S>, mac: Option<Mac>) -> (String, &'static str) {
    let path = PathBuf::from("/sys/class/dmi/id/product_uuid");
    // Machines without SMBIOS have no such file.
    let bytes = cx.sys.read(&path).unwrap_or_default();
    let uuid = String::from_utf8_lossy(&bytes).trim().to_ascii_lowercase();
    let digits: Vec<char> = uuid.chars().filter(char::is_ascii_hexdigit).collect();
    // Firmware that was never given a UUID shows zeros, ones, or the same as all its siblings.
    let is_real = digits.len() == 32
        && digits.iter().any(|digit| Some(digit) != digits.first())
        && uuid != "03000200-0400-0500-0006-000700080009";
    let (seed, origin) = match (is_real, mac) {
        (true, _) => (uuid, "firmware UUID"),
        (false, Some(mac)) => (mac.to_string(), "MAC address"),
        (false, None) => by_chance(cx),
    };
    (derive(&seed), origin)
}

/// The last resort, and the only one that a disk is needed for: there is nothing that is the same at the next boot.
fn by_chance<S: Sys>(cx: &Context<S>) -> (String, &'static str) {
    let file = Path::new(paths::KEPT).join("machine-id-seed");
    let kept = cx.known.state.as_ref().and_then(|_| cx.sys.read(&file).ok());
    if let Some(seed) = kept.filter(|seed| !seed.is_empty()) {
        return (String::from_utf8_lossy(&seed).into_owned(), "chance, kept on the state disk");
    }
    let mut random = [0; 16];
    cx.sys.random(&mut random);
    let seed = format!("{random:?}");
    if cx.known.state.is_none() {
        return (seed, "chance, new at each boot");
    }
    let folder = cx.sys.make_dir(Path::new(paths::KEPT), 0o700);
    match folder.and_then(|()| cx.sys.write(&file, seed.as_bytes(), 0o600)) {
        Ok(()) => (seed, "chance, kept on the state disk"),
        Err(error) => {
            cx.note(Level::Warning, error.to_string());
            (seed, "chance, new at each boot")
        }
    }
}

fn derive(seed: &str) -> String {
    let digest = Sha256::new().chain_update(b"dayfly machine-id v1\0").chain_update(seed).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.iter()).for_each(|(byte, hashed)| *byte = *hashed);
    // Version 4, variant 1 (RFC 9562 §5.4), as systemd's own ids.
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(hostname: Option<&str>, domain: Option<&str>) -> NetworkUp {
        NetworkUp {
            iface: "eth0".to_owned(),
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            address: [10, 0, 2, 15].into(),
            prefix: 24,
            gateway: None,
            mtu: None,
            dns: vec![[10, 0, 2, 3].into()],
            domain: domain.map(str::to_owned),
            search: vec!["lab".to_owned()],
            hostname: hostname.map(str::to_owned),
            lease: None,
        }
    }

    #[test]
    fn a_name_comes_from_settings_then_the_root_then_network_then_mac() {
        let named = IdentityPlan { hostname: "Worker7".parse().ok(), is_installed: true };
        let unnamed = IdentityPlan { hostname: None, is_installed: true };
        let mac = Some(Mac([2, 0, 0, 0, 0, 1]));
        let id = "0123456789abcdef0123456789abcdef";
        let with_name = network(Some("fromdhcp"), None);
        let bad_name = network(Some("not a name"), None);
        let own: Option<HostName> = "installed".parse().ok();
        for (plan, own, network, mac, name) in [
            (&named, &own, Some(&with_name), mac, "worker7"),
            (&unnamed, &own, Some(&with_name), mac, "installed"),
            (&unnamed, &None, Some(&with_name), mac, "fromdhcp"),
            (&unnamed, &None, Some(&bad_name), mac, "node-020000000001"),
            (&unnamed, &None, None, None, "node-0123456789ab"),
        ] {
            assert_eq!(choose_name(plan, own.clone(), network, mac, id).0.as_str(), name);
        }
    }

    #[test]
    fn files_have_the_node_in_them() {
        let name: HostName = "worker7".parse().unwrap();
        let network = network(None, Some("example.org"));
        assert!(hosts(&name, Some(&network)).contains("\n10.0.2.15 worker7.example.org worker7\n"));
        assert!(hosts(&name, None).contains("\n127.0.1.1 worker7\n"));
        let long: HostName = "worker7.cluster.test".parse().unwrap();
        assert!(hosts(&long, Some(&network)).contains("\n10.0.2.15 worker7.cluster.test worker7\n"));
        assert_eq!(resolv_conf(&network), "nameserver 10.0.2.3\nsearch lab example.org\n");
    }

    #[test]
    fn the_order_of_the_cards_does_not_matter() {
        let card = |index: u32, kind: LinkKind, mac: [u8; 6]| Link {
            index,
            name: format!("eth{index}"),
            kind,
            mac: Some(mac),
            up: true,
            carrier: true,
            mtu: 1500,
            least_mtu: 68,
            most_mtu: 1500,
            other_names: Vec::new(),
        };
        let ethernet = |index: u32, first: u8| card(index, LinkKind::Ethernet, [first, 1, 1, 1, 1, 1]);
        let bridge = card(9, LinkKind::Virtual("bridge".to_owned()), [0, 0, 0, 0, 0, 1]);
        let mut links = vec![ethernet(1, 0x52), bridge, ethernet(2, 0x3c), ethernet(3, 0x02)];
        for _ in 0..links.len() {
            links.rotate_left(1);
            assert_eq!(lowest(&links), Some(Mac([0x3c, 1, 1, 1, 1, 1])));
        }
        links.retain(|link| link.mac != Some([0x3c, 1, 1, 1, 1, 1]));
        assert_eq!(lowest(&links), Some(Mac([0x02, 1, 1, 1, 1, 1])), "chosen ones are better than none");
        assert_eq!(lowest(&[]), None);
    }

    #[test]
    fn a_machine_id_is_a_stable_version_4_uuid() {
        let id = derive("4c4c4544-0051");
        assert_eq!(id, derive("4c4c4544-0051"));
        assert_ne!(id, derive("4c4c4544-0052"));
        assert_eq!((id.len(), &id[12..13]), (32, "4"));
        assert!("89ab".contains(&id[16..17]));
    }
}
