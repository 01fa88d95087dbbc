//! How long the boot waits for the network's parts, and whether it can do without IPv4.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use dayfly_formats::ip::Method;

use crate::network::{Limits, Network};
use crate::settings::wanted::NetworkSettings;
use crate::settings::{Gathered, ImageSource};

/// The limits of every interface.
pub(super) fn limits(wanted: &NetworkSettings) -> Limits {
    let tries = wanted.dhcp_tries.as_ref().map_or(1, |tries| tries.value);
    let dhcp = wanted.dhcp_timeout.as_ref().map(|time| time.value.saturating_mul(tries));
    Limits {
        carrier: wanted.carrier_timeout.as_ref().map(|time| time.value),
        dhcp,
        autoconf: wanted.autoconf_timeout.as_ref().map(|time| time.value),
        dad: wanted.dad_timeout.as_ref().map(|time| time.value),
    }
}

/// The longest limit, which the step must last.
pub(super) fn longest(network: &Network, wanted: &NetworkSettings) -> Option<Duration> {
    let limits = limits(wanted);
    // With `either6`, the time of the DHCPv6 server begins when that of the routers is over.
    let is_either = wanted.ip.iter().any(|ip| ip.value.method == Method::Either6);
    let both = limits.autoconf.zip(limits.dhcp).filter(|_| is_either);
    let both = both.map(|(autoconf, dhcp)| autoconf.saturating_add(dhcp));
    limits.given().map(|(_, limit)| limit).chain(network.link_wait).chain(both).max()
}

/// Whether a URL or a name server of the settings has an IPv4 address. An IPv6-only network reaches names that have only IPv4
/// addresses by DNS64 (RFC 6147), but not such addresses.
pub(super) fn needs_ipv4(settings: &Gathered) -> bool {
    let image = settings.image.as_ref().and_then(|image| match &image.value {
        ImageSource::Url(url) => Some(url.server()),
        _ => None,
    });
    let file = settings.settings_url.as_ref().map(|url| url.value.server());
    let urls = image.into_iter().chain(file).any(|server| server.host.parse::<Ipv4Addr>().is_ok());
    urls || settings.network.dns.iter().any(|server| matches!(server.value.address, IpAddr::V4(_)))
}
