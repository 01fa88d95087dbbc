//! Hands the node's address over to the OS: its network service continues with the lease of the boot instead of
//! requesting a second one.

mod ifupdown;
mod networkd;
mod observed;

use dayfly_plan::{Code, NetworkKeeper};
use dayfly_sys::{Files, Sys, SysError};

use crate::context::{Context, Done};
use crate::events::Level;
use crate::services::Manager;
use crate::services::openrc::runlevels;
use crate::services::systemd::units::{self, Refusal};
use crate::{AddressUp, Failure, NetworkUp, os};

/// A network service of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    /// systemd-networkd, and whether it is enabled in the image.
    Networkd { enabled: bool },
    /// Debian's ifupdown, which the image starts.
    Ifupdown,
    /// Another service, by name. Nothing is handed over to it.
    Foreign(&'static str),
}

/// Services that manage interfaces in their own way. It is up to them what they do with an existing address.
const FOREIGN: [&str; 5] = ["NetworkManager", "networkmanager", "connman", "wicked", "dhcpcd"];

/// Hands the address over.
pub fn hand_over(cx: &Context, keeper: NetworkKeeper) -> Result<Done, Failure> {
    let Some(network) = &cx.known.network else {
        return Ok(Done::with("no address"));
    };
    let manager = cx.known.init.as_ref().and_then(|init| init.manager);
    let tried = "hand the address to the image's network service";
    let refused = |refusal| match refusal {
        Refusal::Sys(error) => Failure::from_sys(Code::NodeNetwork, tried, &error),
        Refusal::Words(words) => Failure::new(Code::NodeNetwork, tried, words),
        Refusal::Unit { file, words } => Failure::new(Code::NodeNetwork, tried, format!("{file} {words}")),
    };
    let service = service(&*cx.sys, keeper, manager).map_err(refused)?;
    match service {
        Some(Service::Networkd { enabled }) => {
            networkd::hand_over(&*cx.sys, network, enabled).map(Done::with).map_err(refused)
        }
        Some(Service::Ifupdown) => ifupdown::hand_over(&*cx.sys, network).map(Done::with).map_err(refused),
        Some(Service::Foreign(name)) => {
            let text = format!(
                "{name} of the image cannot take over {}: it may request another address and remove this one",
                all_owned(network)
            );
            cx.note(Level::Warning, &text);
            Ok(Done::with(text))
        }
        None if is_for_ever(network) => Ok(Done::with(format!(
            "{} stays unchanged: the image has no network service",
            all_owned(network)
        ))),
        None => {
            let text = format!("the image has no network service that can renew {}", all_owned(network));
            Err(Failure::new(Code::NodeNetwork, tried, text))
        }
    }
}

/// The service of the image that gets the address.
fn service(
    sys: &dyn Sys,
    keeper: NetworkKeeper,
    manager: Option<Manager>,
) -> Result<Option<Service>, Refusal> {
    let started = started(sys, manager)?;
    let has_networkd = manager == Some(Manager::Systemd) && units::is_usable(sys, networkd::UNIT)?;
    let enabled = started.contains(&networkd::SERVICE);
    let networkd = Service::Networkd { enabled };
    let starts_ifupdown = started.contains(&ifupdown::SERVICE);
    let has_ifupdown = starts_ifupdown && ifupdown::is_debians(sys)?;
    match keeper {
        NetworkKeeper::None => Ok(None),
        NetworkKeeper::Networkd if has_networkd => Ok(Some(networkd)),
        NetworkKeeper::Networkd => Err(Refusal::Words("the image has no systemd-networkd".to_owned())),
        NetworkKeeper::Ifupdown if has_ifupdown => Ok(Some(Service::Ifupdown)),
        NetworkKeeper::Ifupdown => {
            Err(Refusal::Words("Debian's ifupdown is not enabled in the image".to_owned()))
        }
        NetworkKeeper::Auto => {
            if has_networkd && enabled {
                return Ok(Some(networkd));
            }
            let of_another = starts_ifupdown && !has_ifupdown;
            let foreign = FOREIGN.iter().find(|name| started.contains(name));
            if let Some(name) = foreign.or(of_another.then_some(&ifupdown::SERVICE)) {
                return Ok(Some(Service::Foreign(name)));
            }
            // Without a DHCP client, ifupdown does not change an interface that is not in its configuration.
            Ok(if has_ifupdown && (!has_networkd || os::has_program(sys, "dhclient")?) {
                Some(Service::Ifupdown)
            } else if has_networkd {
                Some(networkd)
            } else {
                None
            })
        }
    }
}

/// The network services that are enabled in the image.
fn started(sys: &dyn Files, manager: Option<Manager>) -> Result<Vec<&'static str>, SysError> {
    let services: Vec<&str> = [networkd::SERVICE, ifupdown::SERVICE].into_iter().chain(FOREIGN).collect();
    match manager {
        Some(Manager::Systemd) => units::enabled(sys, &services),
        Some(Manager::OpenRc) => runlevels::enabled(sys, &services),
        None => Ok(Vec::new()),
    }
}

/// The address, and how long the node may use it.
fn owned(up: &AddressUp) -> String {
    let time = up.lifetime();
    let time = time.map_or_else(String::new, |seconds| format!(" (leased for {seconds} s)"));
    format!("{}/{}{time}", up.address, up.prefix)
}

/// All addresses.
fn all_owned(network: &NetworkUp) -> String {
    network.addresses().map(owned).collect::<Vec<_>>().join(" and ")
}

fn is_for_ever(network: &NetworkUp) -> bool {
    network.addresses().all(|up| up.lifetime().is_none())
}
