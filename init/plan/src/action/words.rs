//! One line of text for each action, for the table of a plan.

use std::collections::BTreeMap;
use std::fmt;

use super::{Action, LayoutEntry, StateSearch};
use crate::image::{Integrity, Layer, LayerSource};
use crate::layout::Policy;
use crate::node::{NetworkKeeper, some};
use crate::paths;
use crate::settings::value::{Sha256, Size, Url};

/// One line: what the step does, and on what.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::LoadDrivers { blacklist } => {
                f.write_str("load drivers for the devices on the buses")?;
                if blacklist.is_empty() { Ok(()) } else { write!(f, ", never {}", blacklist.join(" ")) }
            }
            Action::LoadModules { names } => write!(f, "load {}", names.join(" ")),
            Action::ReadCredentials => f.write_str("read credentials of the hypervisor or firmware, if any"),
            Action::ReadLinks { .. } => f.write_str("read the MAC addresses for rules with a mac condition"),
            Action::ReadConfig(search) => match search.wait {
                Some(wait) => {
                    write!(f, "wait {} s for {} and read its dayfly.toml", wait.as_secs(), search.device)
                }
                None => write!(f, "read dayfly.toml on {} if it is present", search.device),
            },
            Action::ReadLastBoot { device } => {
                write!(f, "read the addresses of the last boot on {device} if it is present")
            }
            Action::RaceNetwork(network) => network.fmt(f),
            Action::SettleNetwork => f.write_str("keep the network as it is, restore the other interfaces"),
            Action::SetClock => f.write_str("set the clock forward by time servers, if any are known"),
            Action::ReadName => {
                f.write_str("read the network's host name for rules with a hostname condition")
            }
            Action::FetchSettings { url, .. } => write!(f, "fetch settings from {url}"),
            Action::ReadManifest(plan) => plan.fmt(f),
            Action::Fetch { layers, .. } => f.write_str(&each(layers, fetched)),
            Action::FindImage { layers } => f.write_str(&each(layers, found)),
            Action::Verify { layers } => {
                write!(f, "compare SHA-256 with {}", each_digest(layers))
            }
            Action::UseRoot => f.write_str("use the mounted root as the image, read-only"),
            Action::ReadDefaults => write!(f, "read the image's {}", paths::IMAGE_SETTINGS),
            Action::MountImage { layers, .. } => match layers.len() {
                1 => f.write_str("mount image read-only"),
                count => write!(f, "mount the {count} layers of the image read-only"),
            },
            Action::FindInit { init: Some(init) } => write!(f, "find {init} in the image"),
            Action::FindInit { init: None } => f.write_str("find the OS's init in the image"),
            Action::OpenState(StateSearch { device, wait, create: Some(create), .. }) => {
                let wait = wait.unwrap_or_default().as_secs();
                write!(f, "mount {device}; if it does not appear in {wait} s, create {} on ", create.fstype)?;
                match &create.disk {
                    Some(disk) => write!(f, "{disk} if it is blank"),
                    None => f.write_str("the one blank disk"),
                }
            }
            Action::OpenState(StateSearch { device, wait: Some(wait), .. }) => {
                write!(f, "wait {} s for {device} and mount it", wait.as_secs())
            }
            Action::OpenState(StateSearch { device, wait: None, .. }) => {
                write!(f, "mount {device} if it is present")
            }
            Action::MountRoot { size: None } => f.write_str("overlay of image and tmpfs"),
            Action::MountRoot { size: Some(size) } => {
                let of = if matches!(size, Size::Bytes(_)) { " bytes" } else { " of the memory" };
                write!(f, "overlay of image and tmpfs of {size}{of}")
            }
            Action::ApplyLayout { entries } => f.write_str(&layout_in_words(entries)),
            Action::WriteIdentity(identity) => match &identity.hostname {
                Some(name) => write!(f, "name {name}, hosts, machine-id, resolver"),
                None if identity.is_installed => {
                    f.write_str("name and machine-id of the root, else from DHCP or MAC, hosts, resolver")
                }
                None => f.write_str("name from DHCP or MAC, hosts, machine-id, resolver"),
            },
            Action::LoadOsModules { names } => write!(f, "load {} from the image", names.join(" ")),
            Action::SetSysctls(sysctls) => {
                let pairs = sysctls.iter().map(|sysctl| format!("{}={}", sysctl.name, sysctl.value));
                write!(f, "set {}", some(pairs))
            }
            Action::WriteFiles(files) => {
                let names = files.iter().map(|file| {
                    let secret = if file.is_secret() { " (secret)" } else { "" };
                    format!("{} {:04o}{secret}", file.path, file.mode)
                });
                write!(f, "write {}", some(names))
            }
            Action::SetUpUsers(users) => {
                let names = users.iter().map(|user| {
                    let keys = match user.authorized_keys.len() {
                        0 => None,
                        1 => Some("1 key".to_owned()),
                        count => Some(format!("{count} keys")),
                    };
                    let password = user.password_hash.as_ref().map(|_| "password".to_owned());
                    let what: Vec<String> = keys.into_iter().chain(password).collect();
                    format!("{} {}", user.name, what.join(" and "))
                });
                write!(f, "give {}", some(names))
            }
            Action::WriteUnits(units) => {
                let names = units.iter().map(|unit| {
                    let what = match unit.enable {
                        Some(true) => "enabled",
                        Some(false) => "disabled",
                        None => "written",
                    };
                    format!("{} {what}", unit.name)
                });
                write!(f, "have {}", some(names))
            }
            Action::MakeHostKeys(policy) => write!(f, "{policy} ssh host keys"),
            Action::HandNetworkOver(NetworkKeeper::Auto) => f.write_str(
                "pass address and lease to the image's network service: networkd, NetworkManager, dhcpcd, \
                     ifupdown or netifrc",
            ),
            Action::HandNetworkOver(keeper) => write!(f, "pass address and lease to {keeper}"),
            Action::PrepareKernel(needs) => needs.fmt(f),
            Action::StageKubelet(kubelet) => kubelet.fmt(f),
            Action::StageK0s(k0s) => k0s.fmt(f),
            Action::StageK3s(k3s) => k3s.fmt(f),
            Action::StageScripts(scripts) => {
                let texts: Vec<String> = scripts
                    .iter()
                    .map(|script| {
                        format!(
                            "{} from {} every {} s",
                            script.program,
                            script.url,
                            script.interval.as_secs()
                        )
                    })
                    .collect();
                write!(f, "when the OS is up, run {}", texts.join("; "))
            }
            Action::KeepForNextBoot => f.write_str("keep the leased addresses on the state disk"),
            Action::KeepRecord => write!(f, "keep boot.json in {}", paths::HISTORY),
            Action::Report { url, .. } => write!(f, "POST boot.json to {url}"),
            Action::SwitchRoot { empties: true } => f.write_str("empty the initramfs, enter the new root"),
            Action::SwitchRoot { empties: false } => f.write_str("enter the new root"),
            Action::LeaveToDracut => f.write_str("leave the new root to dracut"),
            Action::Exec { args } if args.is_empty() => f.write_str("exec the OS's init"),
            Action::Exec { args } => write!(f, "exec the OS's init with {}", args.join(" ")),
        }
    }
}

/// The texts of all layers that have one, joined.
fn each(layers: &[Layer], done: impl Fn(&Layer) -> Option<String>) -> String {
    layers.iter().filter_map(done).collect::<Vec<_>>().join("; ")
}

/// The digests that the layers must have.
fn each_digest(layers: &[Layer]) -> String {
    let digest = |layer: &Layer| match layer.integrity {
        Integrity::Sha256(sha256) => Some(format!("{}…", sha256.short())),
        Integrity::Manifest => Some("that of the manifest".to_owned()),
        Integrity::Unchecked => None,
    };
    layers.iter().filter_map(digest).collect::<Vec<_>>().join(", ")
}

fn fetched(layer: &Layer) -> Option<String> {
    let urls = match &layer.source {
        LayerSource::Servers(urls) => urls,
        LayerSource::Manifest => {
            return Some("fetch what the manifest names into memory, hash it".to_owned());
        }
        LayerSource::Disk { .. } | LayerSource::File(_) | LayerSource::Awaited => return None,
    };
    let urls: Vec<String> = urls.iter().map(short).collect();
    let hashed = if layer.sha256().is_some() { ", hash it" } else { "" };
    Some(format!("fetch {} into memory{hashed}", urls.join(", else ")))
}

/// A URL; a file that is named by its digest with the first digits only.
fn short(url: &Url) -> String {
    let (folder, name) = url.as_str().rsplit_once('/').unwrap_or(("", url.as_str()));
    match name.parse::<Sha256>() {
        Ok(sha256) => format!("{folder}/{}…", sha256.short()),
        Err(_) => url.to_string(),
    }
}

fn found(layer: &Layer) -> Option<String> {
    match &layer.source {
        LayerSource::Servers(_) | LayerSource::Manifest => None,
        LayerSource::Disk { device, file, wait } => {
            let file = file.as_ref().map_or_else(String::new, |file| format!(" {file}"));
            Some(format!("wait {} s for {device} and find image{file} on it", wait.as_secs()))
        }
        LayerSource::File(path) => Some(format!("use {path} of the initramfs as the image")),
        LayerSource::Awaited => Some("use the image that later settings name".to_owned()),
    }
}

/// The paths, grouped by policy.
fn layout_in_words(entries: &[LayoutEntry]) -> String {
    let mut groups: Vec<(Policy, Vec<&str>)> = Vec::new();
    let mut places = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.is_database()) {
        let place = *places.entry(entry.policy.to_string()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, paths)) => paths.push(&entry.path),
            None => groups.push((entry.policy, vec![&entry.path])),
        }
    }
    if entries.iter().any(LayoutEntry::is_database) {
        match groups.iter_mut().find(|(group, _)| *group == Policy::Ephemeral) {
            Some((_, paths)) => paths.push("and package databases"),
            None => groups.push((Policy::Ephemeral, vec!["package databases"])),
        }
    }
    let texts: Vec<String> =
        groups.iter().map(|(policy, paths)| format!("{} {policy}", paths.join(" "))).collect();
    texts.join("; ")
}
