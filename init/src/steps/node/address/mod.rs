//! Hands the node's address over to the OS: its network service continues with the lease of the boot instead of
//! requesting a second one.

mod chrony;
mod cloud_init;
mod dhcpcd;
mod ifupdown;
mod ifupdown_ng;
mod netifrc;
mod networkd;
mod networkmanager;
mod observed;

use dayfly_plan::{Code, NetworkKeeper};
use dayfly_sys::{Files, Sys, SysError};

use crate::context::{Context, Done};
use crate::events::Level;
use crate::services::Manager;
use crate::services::openrc::runlevels;
use crate::services::systemd::units::{self, Refusal};
use crate::{AddressUp, Failure, NetworkUp};

/// A network service of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    /// systemd-networkd, and whether it is enabled in the image.
    Networkd { enabled: bool },
    /// NetworkManager, which the image starts.
    NetworkManager,
    /// dhcpcd as a service of its own, which the image starts.
    Dhcpcd,
    /// netifrc, which the image starts.
    Netifrc,
    /// Debian's ifupdown, which the image starts.
    Ifupdown,
    /// ifupdown-ng with dhcpcd, which the image starts.
    IfupdownNg,
    /// Another service, by name. Nothing is handed over to it.
    Foreign(&'static str),
}

/// Services that manage interfaces in their own way. It is up to them what they do with an existing address.
const FOREIGN: [&str; 2] = ["connman", "wicked"];

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
    let sys = &*cx.sys;
    let service = service(sys, keeper, manager, network).map_err(refused)?;
    let handed = match service {
        Some(Service::Networkd { enabled }) => networkd::hand_over(sys, network, enabled),
        Some(Service::NetworkManager) => networkmanager::hand_over(sys, network),
        Some(Service::Dhcpcd) => dhcpcd::hand_over(sys, network),
        Some(Service::Netifrc) => netifrc::hand_over(sys, network),
        Some(Service::Ifupdown) => ifupdown::hand_over(sys, network),
        Some(Service::IfupdownNg) => ifupdown_ng::hand_over(sys, network),
        Some(Service::Foreign(name)) => {
            let text = format!(
                "{name} of the image cannot take over {}: it may request another address and remove this one",
                all_owned(network)
            );
            cx.note(Level::Warning, &text);
            return Ok(Done::with(text));
        }
        None if is_for_ever(network) => {
            let owned = all_owned(network);
            return Ok(Done::with(format!("{owned} stays unchanged: the image has no network service")));
        }
        None => {
            let text = format!("the image has no network service that can renew {}", all_owned(network));
            return Err(Failure::new(Code::NodeNetwork, tried, text));
        }
    };
    let handed = handed.map_err(refused)?;
    if cloud_init::keep_off(sys).map_err(|error| refused(error.into()))? {
        cx.note(Level::Info, "cloud-init does not configure the network: it is configured");
    }
    if chrony::hand_over(sys, network).map_err(|error| refused(error.into()))? {
        cx.note(Level::Info, "chronyd uses the time servers of the boot");
    }
    Ok(Done::with(handed))
}

/// The service of the image that gets the address.
fn service(
    sys: &dyn Sys,
    keeper: NetworkKeeper,
    manager: Option<Manager>,
    network: &NetworkUp,
) -> Result<Option<Service>, Refusal> {
    let started = started(sys, manager)?;
    let starts = |names: &[&str]| names.iter().any(|name| started.contains(name));
    let has_networkd = manager == Some(Manager::Systemd) && units::is_usable(sys, networkd::UNIT)?;
    let enabled = starts(&[networkd::SERVICE]);
    let networkd = Service::Networkd { enabled };
    let starts_ifupdown = starts(&[ifupdown::SERVICE]);
    let of_ifupdown = if !starts_ifupdown {
        None
    } else if ifupdown::is_debians(sys)? {
        Some(Service::Ifupdown)
    } else if ifupdown_ng::is_usable(sys)? {
        Some(Service::IfupdownNg)
    } else {
        None
    };
    let has_netifrc = manager == Some(Manager::OpenRc) && netifrc::is_started(sys, network)?;
    let required = |service: Service, is_there: bool, lack: &str| {
        if is_there { Ok(Some(service)) } else { Err(Refusal::Words(lack.to_owned())) }
    };
    match keeper {
        NetworkKeeper::None => return Ok(None),
        NetworkKeeper::Networkd => {
            return required(networkd, has_networkd, "the image has no systemd-networkd");
        }
        NetworkKeeper::Ifupdown => {
            let lack = "neither Debian's ifupdown nor ifupdown-ng with dhcpcd is enabled in the image";
            return of_ifupdown.map(Some).ok_or_else(|| Refusal::Words(lack.to_owned()));
        }
        NetworkKeeper::NetworkManager => {
            let lack = "NetworkManager is not enabled in the image";
            return required(Service::NetworkManager, starts(&networkmanager::SERVICES), lack);
        }
        NetworkKeeper::Dhcpcd => {
            let lack = "the service dhcpcd is not enabled in the image";
            return required(Service::Dhcpcd, starts(&[dhcpcd::SERVICE]), lack);
        }
        NetworkKeeper::Netifrc => {
            let lack = "netifrc is not enabled for the interface in the image";
            return required(Service::Netifrc, has_netifrc, lack);
        }
        NetworkKeeper::Auto => {}
    }
    let foreign = FOREIGN.iter().find(|name| started.contains(name));
    Ok(Some(if has_networkd && enabled {
        networkd
    } else if starts(&networkmanager::SERVICES) {
        Service::NetworkManager
    } else if let Some(name) = foreign {
        Service::Foreign(name)
    } else if starts(&[dhcpcd::SERVICE]) {
        Service::Dhcpcd
    } else if has_netifrc {
        Service::Netifrc
    } else if let Some(of_ifupdown) = of_ifupdown
        && (!has_networkd || ifupdown::client(sys)?.is_some())
    {
        // Without a DHCP client, ifupdown does not change an interface that is not in its configuration.
        of_ifupdown
    } else if of_ifupdown.is_none() && starts_ifupdown {
        Service::Foreign(ifupdown::SERVICE)
    } else if has_networkd {
        networkd
    } else {
        return Ok(None);
    }))
}

/// The network services that are enabled in the image.
fn started(sys: &dyn Files, manager: Option<Manager>) -> Result<Vec<&'static str>, SysError> {
    let ours = [networkd::SERVICE, ifupdown::SERVICE, dhcpcd::SERVICE];
    let services: Vec<&str> = ours.into_iter().chain(networkmanager::SERVICES).chain(FOREIGN).collect();
    match manager {
        Some(Manager::Systemd) => units::enabled(sys, &services),
        Some(Manager::OpenRc) => runlevels::enabled(sys, &services),
        None => Ok(Vec::new()),
    }
}

/// The address, and how long the node may use it.
fn owned(up: &AddressUp) -> String {
    if up.is_withdrawn() {
        return format!("an address in place of the withdrawn {}/{}", up.address, up.prefix);
    }
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
