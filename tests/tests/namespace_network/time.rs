//! The clock by a real chronyd, which dnsmasq names. chronyd serves the clock of this host and does not control it (`-x`). The clock is
//! the same in all namespaces (time_namespaces(7)), so a boot here finds that it is right, and must never set it.

use dayfly_init::boot::Ended;

use crate::boots::{Booted, GOOD, Network, booted_on, serve};
use crate::hosts::{Host, Server, Site};

const NOTHING: Network = Network { dhcp: None, has_image: false, refuses: true };

/// Unpacked by qemu/provision.
const CHRONYD: &str = "/usr/local/lib/dayfly-tests/chrony/usr/sbin/chronyd";

/// chronyd on the host behind va.
fn chronyd(site: &Site, directives: &str) -> Server {
    let host = Host { name: "net-va".to_owned(), folder: site.scratch.join("net-va") };
    let config = format!(
        "allow all\ncmdport 0\nbindcmdaddress /\npidfile {}/chronyd.pid\n{directives}\n",
        host.folder.display()
    );
    let config = host.write("chrony.conf", &config);
    let args = ["-x", "-d", "-u", "root", "-f", &config].map(str::to_owned);
    let server = host.start(CHRONYD, &args, &["chronyd version"]);
    // Port 123 is open.
    host.shell("for try in $(seq 500); do grep -q :007B /proc/net/udp && exit; sleep 0.02; done; exit 1");
    server
}

/// Boots over va, with chronyd behind it. The boot waits for a lease of vb, which does not come: it waits for no time server, and would
/// be over before an answer that is late.
fn booted(words: &str, options: &'static [&'static str], directives: &str) -> Booted {
    let booted = booted_on(&format!("{words} ip=vb:dhcp"), |site| {
        let network = Network { dhcp: Some(options), ..GOOD };
        let mut servers = serve(site, "va", network);
        servers.extend(serve(site, "vb", NOTHING));
        servers.push(chronyd(site, directives));
        servers
    });
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    assert!(!booted.log.contains("the clock was set"), "the clock was set\n{}", booted.log);
    booted
}

/// The outcome of the step, and what it says.
fn step(booted: &Booted) -> (String, String) {
    let attempts = booted.attempts("time");
    let row = attempts.first().unwrap_or_else(|| panic!("the step is missing\n{}", booted.log));
    let words = row["failure"]["wrong"].as_str().or(row["detail"].as_str()).unwrap();
    (row["outcome"].as_str().unwrap().to_owned(), words.to_owned())
}

#[test]
fn the_server_of_option_42_says_that_the_clock_is_right() {
    let booted = booted("ip=va:dhcp", &["--dhcp-option=42,10.9.1.1"], "local stratum 3");
    let words = "the clock is right within 2 s, says 10.9.1.1 (stratum 3)";
    assert_eq!(step(&booted), ("done".to_owned(), words.to_owned()), "{}", booted.log);
}

#[test]
fn a_server_of_dhcpv6_is_asked_over_ipv6() {
    let options: &[&str] = &[
        "--enable-ra",
        "--dhcp-range=fd09:1::50,fd09:1::60,64,1h",
        "--dhcp-option=option6:sntp-server,[fd09:1::1]",
    ];
    let words = "root=live:http://[fd09:9::9]/os.squashfs ip=va:dhcp6";
    let booted = booted(words, options, "local stratum 3");
    let words = "the clock is right within 2 s, says fd09:1::1 (stratum 3)";
    assert_eq!(step(&booted), ("done".to_owned(), words.to_owned()), "{}", booted.log);
}

#[test]
fn a_server_that_is_not_synchronised_gives_no_time() {
    let booted = booted("ip=va:dhcp", &["--dhcp-option=42,10.9.1.1"], "");
    let words = "10.9.1.1: the server's clock is not synchronised";
    assert_eq!(step(&booted), ("tolerated".to_owned(), words.to_owned()), "{}", booted.log);
}
