//! Parts of `ip=` parameters that this version does not support are reported once, with an alternative.

use dayfly_plan::settings::gather;
use dayfly_plan::{Facts, plan};

fn notes(words: &str) -> Vec<String> {
    let facts = Facts::from_cmdline(format!("root=live:http://boot/os {words}"));
    let (settings, problems) = gather(&facts);
    assert_eq!(problems, [], "{words}");
    plan(&settings, &facts.discovered).notes.into_iter().filter(|note| note.starts_with("ip=")).collect()
}

#[test]
fn what_is_not_done_is_said_once_with_what_to_write() {
    let method = |word: &str, method: &str| {
        format!(
            "ip={word}: the method {method} is not supported yet, DHCPv4 is used; use dhcp, or a static IPv6 \
             address in brackets."
        )
    };
    let second = |word: &str, first: &str, of: &str| {
        format!(
            "ip={word}: it is not used, because ip={first} comes first and is also for {of}; remove one of them."
        )
    };
    let mac = "ip=eth0:dhcp::52:54:00:12:34:56: the MAC address 52:54:00:12:34:56 is not set, the interface keeps its own; let \
        the OS set it (MACAddress= in a .link file), and remove it here.";
    let peer = "the peer 10.0.0.1 is not used; use a prefix that contains both addresses, or give the peer as \
        the gateway.";
    let ntp = "the time server 10.0.0.9 is not used; let the OS use it (NTP= in a file below \
        /etc/systemd/timesyncd.conf.d).";
    let full = "10.0.0.2:10.0.0.1::24::eth0:none:10.0.0.3::10.0.0.9";
    for (words, expected) in [
        ("ip=dhcp", vec![]),
        ("ip=single-dhcp", vec![]),
        ("ip=eth0:dhcp:9000 ip=eth1:off", vec![]),
        ("ip=10.0.0.2::10.0.0.1:24:n1:eth0:none", vec![]),
        ("ip=auto6", vec![method("auto6", "auto6")]),
        ("ip=dhcp6 ip=dhcp6", vec![method("dhcp6", "dhcp6")]),
        (
            "ip=eth0:either6 ip=eth1:link6",
            vec![method("eth0:either6", "either6"), method("eth1:link6", "link6")],
        ),
        ("ip=link-local", vec![method("link-local", "link-local")]),
        ("ip=auto", vec![method("auto", "auto")]),
        ("ip=eth0:dhcp::52:54:00:12:34:56", vec![mac.to_owned()]),
        ("ip=eth0:dhcp ip=eth0:dhcp", vec![]),
        (
            "ip=eth0:dhcp ip=10.0.0.2:::24::eth0:none",
            vec![second("10.0.0.2:::24::eth0:none", "eth0:dhcp", "eth0")],
        ),
        ("ip=dhcp ip=single-dhcp", vec![second("single-dhcp", "dhcp", "every interface")]),
        (&format!("ip={full}"), vec![format!("ip={full}: {peer}"), format!("ip={full}: {ntp}")]),
    ] {
        assert_eq!(notes(words), expected, "{words}");
    }
}
