//! Server names that cannot be resolved.

use std::net::IpAddr;

use crate::settings::value::TimeServer;
use crate::settings::{ImageSource, Settings};

/// A note, if a URL contains a host name, or a time server has one, and no known source gives a name server. With static
/// addresses, there is no DHCP server that could give one.
pub(super) fn unresolvable(settings: &Settings) -> Option<String> {
    let ip = &settings.network.ip;
    let is_told = ip.is_empty()
        || ip.iter().any(|word| word.value.client.is_none() || !word.value.dns.is_empty())
        || !settings.network.dns.is_empty();
    if is_told {
        return None;
    }
    let image = settings.image.as_ref().and_then(|image| match &image.value {
        ImageSource::Url(url) => Some(url.to_string()),
        ImageSource::Device { .. } | ImageSource::File(_) => None,
    });
    let url = settings.settings_url.as_ref().map(|url| url.value.to_string());
    let report = settings.report.as_ref().map(|url| url.value.to_string());
    let time = settings.network.ntp.iter().find_map(|server| match &server.value {
        TimeServer::Name(name) => Some(name.clone()),
        TimeServer::Address(_) => None,
    });
    let mut names = [image, url, report].into_iter().flatten().filter_map(|url| name(&url)).chain(time);
    let first = names.next()?;
    Some(format!(
        "The server name {first} cannot be resolved: no name server is known, because ip= sets a static address \
         and DHCP is not used. Add nameserver=ADDRESS (network.dns), or use the server's IP address."
    ))
}

/// The host of a URL, if it is a name and not an address.
fn name(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    if authority.starts_with('[') {
        return None;
    }
    let host = authority.split(':').next()?;
    host.parse::<IpAddr>().is_err().then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::{Facts, plan, settings};

    #[test]
    fn a_name_without_a_name_server_is_said() {
        const STATIC: &str = "ip=10.0.0.5::10.0.0.1:24::eth0:none";
        for (cmdline, is_said) in [
            (format!("root=http://boot/os {STATIC}"), true),
            (format!("root=live:HTTPS://boot:8443/os {STATIC}"), true),
            (format!("root=http://10.0.0.1/os {STATIC}"), false),
            (format!("root=http://[2001:db8::1]:80/os {STATIC}"), false),
            (format!("root=http://10.0.0.1/os dayfly.report=http://log/x {STATIC}"), true),
            (format!("root=http://10.0.0.1/os dayfly.network.ntp=ntp.example.org {STATIC}"), true),
            (format!("root=http://10.0.0.1/os dayfly.network.ntp=10.0.0.9 {STATIC}"), false),
            (format!("root=http://boot/os {STATIC} nameserver=10.0.0.1"), false),
            (format!("root=http://boot/os {STATIC}:10.0.0.1"), false),
            (format!("root=http://boot/os {STATIC} ip=eth1:dhcp"), false),
            ("root=http://boot/os ip=dhcp".to_owned(), false),
            ("root=http://boot/os".to_owned(), false),
            (format!("root=/dev/vdb {STATIC}"), false),
        ] {
            let facts = Facts::from_cmdline(&*cmdline);
            let (settings, problems) = settings::gather(&facts);
            assert_eq!(problems, [], "{cmdline}");
            let said = plan(&settings, &facts.discovered)
                .notes
                .iter()
                .any(|note| note.contains("no name server is known"));
            assert_eq!(said, is_said, "{cmdline}");
        }
    }
}
