//! Names by a real unbound that answers as it should, and one that fails in each way that its configuration allows. The name servers that
//! lie are fakes of this test.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv6Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dayfly_formats::resolv_conf::ResolvConf;
use dayfly_sys::{Cause, Family, Http, Kernel, Network as _, Reach, SysError};

use crate::lookup::{fake_name_server, says};
use crate::namespace::{apart, run, shell};
use crate::servers::{Nginx, get, nginx};

/// Starts unbound on an address, with these lines in its configuration.
fn unbound(scratch: &Path, address: &str, lines: &str) -> Nginx {
    let conf = scratch.join(format!("unbound-{address}.conf"));
    let text = format!(
        "server:\n interface: {address}\n username: \"\"\n chroot: \"\"\n directory: \"{}\"\n pidfile: \"\"\n use-syslog: no\n \
         do-daemonize: no\n num-threads: 1\n module-config: iterator\n do-not-query-localhost: no\n \
         access-control: 127.0.0.0/8 allow\n local-zone: \"ready.\" static\n local-data: \"ready. A 127.0.0.1\"\n{lines}\n\
         remote-control:\n control-enable: no\n",
        scratch.display()
    );
    fs::write(&conf, text).unwrap();
    let child = Command::new("unbound")
        .args(["-d", "-c"])
        .arg(&conf)
        .stderr(Stdio::null())
        .spawn()
        .expect("unbound is installed");
    Nginx(child)
}

/// Each oddity has its name; the good server knows all of them. For servfail.example, unbound asks the root servers, to which there is no
/// route.
const ODD: &str = "
 do-ip6: no
 local-zone: \"nxdomain.example.\" always_nxdomain
 local-zone: \"nodata.example.\" always_nodata
 local-zone: \"refused.example.\" always_refuse
 local-zone: \"silent.example.\" always_deny";

/// Zones of which each refers to the next one, as those of a content delivery network do.
const CHAIN: [(&str, &str); 3] = [
    ("one.example", "boot CNAME edge.two.example."),
    ("two.example", "edge CNAME pop.three.example."),
    ("three.example", "pop A 127.0.0.1"),
];

fn good(scratch: &Path) -> Nginx {
    let mut lines = String::new();
    for name in ["servfail", "nxdomain", "nodata", "refused", "silent"] {
        let zone = format!("{name}.example.");
        writeln!(lines, " local-zone: \"{zone}\" static\n local-data: \"{zone} A 127.0.0.1\"").unwrap();
    }
    lines.push_str(" local-zone: \"many.example.\" static\n");
    for last in 1..=100 {
        writeln!(lines, " local-data: \"many.example. A 127.0.1.{last}\"").unwrap();
    }
    for (zone, record) in CHAIN {
        let file = scratch.join(zone);
        let text = format!(
            "$ORIGIN {zone}.\n@ 60 SOA ns.{zone}. root.{zone}. 1 60 60 60 60\n@ 60 NS ns.{zone}.\n{record}\n"
        );
        fs::write(&file, text).unwrap();
        writeln!(lines, "auth-zone:\n name: \"{zone}.\"\n zonefile: \"{}\"", file.display()).unwrap();
        lines.push_str(" for-downstream: no\n for-upstream: yes\n");
    }
    unbound(scratch, "127.0.0.2", &lines)
}

/// Fetches the image from a server by these name servers, and returns how long that took.
struct Lookup<'a> {
    kernel: &'a Kernel,
    conf: PathBuf,
}

impl<'a> Lookup<'a> {
    fn new(kernel: &'a Kernel, scratch: &Path) -> Self {
        let conf = scratch.join("resolv.conf");
        fs::write(&conf, "").unwrap();
        run("mount", &["--bind", conf.to_str().unwrap(), "/etc/resolv.conf"]);
        Self { kernel, conf }
    }

    fn fetch(&self, servers: &[&str], url: &str) -> Result<Duration, SysError> {
        let lines: Vec<String> = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
        fs::write(&self.conf, lines.concat() + "search one.example\n").unwrap();
        let mut request = get(url, PathBuf::new());
        request.limits.connect = Duration::from_secs(4);
        let started = Instant::now();
        let response = self.kernel.send(&request)?;
        assert_eq!(response.length, Some(1_000_000), "{url}");
        Ok(started.elapsed())
    }

    fn wait_for(&self, server: &str) {
        let started = Instant::now();
        while self.fetch(&[server], "http://ready.:8080/image").is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "unbound at {server} does not answer");
        }
    }
}

/// With an IPv6 route, AAAA is queried as well.
fn add_ipv6() {
    shell(
        "ip link add v6 type veth peer name w6; ip link set v6 up; ip link set w6 up
         ip -6 address add 2001:db8:1::2/64 dev v6 nodad; ip -6 route add default dev v6",
    );
}

#[test]
fn one_good_unbound_makes_up_for_one_that_fails() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        let (_good, _odd) = (good(scratch), unbound(scratch, "127.0.0.3", ODD));
        let lookup = Lookup::new(kernel, scratch);
        lookup.wait_for("127.0.0.2");
        lookup.wait_for("127.0.0.3");
        for with_ipv6 in [false, true] {
            if with_ipv6 {
                add_ipv6();
            }
            for (name, words) in [
                ("servfail", "127.0.0.3: it answered SERVFAIL"),
                ("nxdomain", "127.0.0.3: there is no such name (NXDOMAIN)"),
                ("nodata", "127.0.0.3: the name has no IPv4 address"),
                ("refused", "127.0.0.3: it answered REFUSED"),
                ("silent", "127.0.0.3: no answer in 4 s"),
            ] {
                let url = format!("http://{name}.example:8080/image");
                for servers in [["127.0.0.3", "127.0.0.2"], ["127.0.0.2", "127.0.0.3"]] {
                    let took =
                        lookup.fetch(&servers, &url).unwrap_or_else(|error| panic!("{servers:?}: {error}"));
                    assert!(took < Duration::from_millis(700), "{servers:?}, {name}: {took:?}");
                }
                let error = lookup.fetch(&["127.0.0.3"], &url).unwrap_err();
                assert_eq!(error.cause, Cause::Resolve, "{error}");
                assert!(error.words.contains(words), "{name}: {error}");
            }
        }
    });
}

#[test]
fn unbound_resolves_aliases_search_domains_and_long_answers() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        let _good = good(scratch);
        let lookup = Lookup::new(kernel, scratch);
        lookup.wait_for("127.0.0.2");
        for with_ipv6 in [false, true] {
            if with_ipv6 {
                add_ipv6();
            }
            // `boot` is completed by the search domain; both names are aliases over three zones.
            for url in ["http://boot.one.example:8080/image", "http://boot:8080/image"] {
                lookup.fetch(&["127.0.0.2"], url).unwrap_or_else(|error| panic!("{error}"));
            }
            // 100 addresses are 1.6 KiB, which unbound truncates over UDP and sends over TCP.
            lookup
                .fetch(&["127.0.0.2"], "http://many.example:8088/image")
                .unwrap_or_else(|error| panic!("{error}"));
        }
    });
}

fn search(servers: &[&str], domains: &[&str]) -> ResolvConf {
    let servers: Vec<String> = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    ResolvConf::parse(&format!("{}search {}\n", servers.concat(), domains.join(" ")))
}

fn reach(kernel: &Kernel, host: &str, family: Family, resolver: &ResolvConf) -> Result<Duration, SysError> {
    let started = Instant::now();
    let lo = kernel.links()?.into_iter().find(|link| link.name == "lo").unwrap();
    kernel.reach(&Reach { host, port: 8080, family, resolver }, lo.index, Duration::from_secs(4))?;
    Ok(started.elapsed())
}

/// A dead name server costs its time for the first search domain only.
#[test]
fn a_silent_name_server_does_not_hide_the_last_search_domain() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        fake_name_server("127.0.0.6", |query| {
            let is_known = query.windows(5).any(|label| label == b"\x04last");
            Some(if is_known { loopback(query, 1) } else { says(query, 3) })
        });
        fake_name_server("127.0.0.7", |_| None);
        let resolver = search(
            &["127.0.0.6", "127.0.0.7"],
            &["first.example", "next.example", "more.example", "last.example"],
        );
        let took = reach(kernel, "boot", Family::V4, &resolver).unwrap_or_else(|error| panic!("{error}"));
        assert!(took < Duration::from_secs(3), "{took:?}");
    });
}

/// The answer for IPv4 comes first, and a connection by IPv6 is wanted.
#[test]
fn the_wanted_ip_version_is_waited_for() {
    apart(|kernel, _| {
        let _server = TcpListener::bind("[::1]:8080").unwrap();
        fake_name_server("127.0.0.8", |query| {
            if query[query.len() - 4..] == [0, 1, 0, 1] {
                return Some(loopback(query, 1));
            }
            std::thread::sleep(Duration::from_millis(200));
            let mut answer = says(query, 0);
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 9, 0, 16]);
            answer.extend(Ipv6Addr::LOCALHOST.octets());
            Some(answer)
        });
        let resolver = search(&["127.0.0.8"], &["example"]);
        reach(kernel, "boot", Family::V6, &resolver).unwrap_or_else(|error| panic!("{error}"));
    });
}

/// A server denies the whole name if it has no AAAA record, which RFC 8020 and RFC 4074 4.2 call a fault.
#[test]
fn nxdomain_for_aaaa_alone_does_not_deny_the_name() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        add_ipv6();
        for delay in [0, 100] {
            let address = if delay == 0 { "127.0.0.4" } else { "127.0.0.5" };
            fake_name_server(address, move |query| {
                if query[query.len() - 4..] != [0, 1, 0, 1] {
                    return Some(says(query, 3));
                }
                std::thread::sleep(Duration::from_millis(delay));
                Some(loopback(query, 1))
            });
            let lookup = Lookup::new(kernel, scratch);
            lookup
                .fetch(&[address], "http://boot.example:8080/image")
                .unwrap_or_else(|error| panic!("{error}"));
        }
    });
}

/// An answer with 127.0.0.LAST to a question for an IPv4 address.
fn loopback(query: &[u8], last: u8) -> Vec<u8> {
    let mut answer = says(query, 0);
    answer[7] = 1;
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, last]);
    answer
}

/// A liar sends answers with a wrong address before the server's own: from another port, from another address, with another id, to another
/// question and of another class. Nothing listens at the wrong address.
#[test]
fn answers_of_a_liar_are_not_taken() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        let server = UdpSocket::bind("127.0.0.6:53").unwrap();
        let (other_port, other_address) =
            (UdpSocket::bind("127.0.0.6:0").unwrap(), UdpSocket::bind("127.0.0.7:53").unwrap());
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((count, visitor)) = server.recv_from(&mut query) {
                let query = &query[..count];
                let lie = loopback(query, 66);
                for liar in [&other_port, &other_address] {
                    // The visitor's socket may refuse them, which the next call reports.
                    let _ = liar.send_to(&lie, visitor);
                }
                let (mut id, mut name, mut class, mut question) =
                    (lie.clone(), lie.clone(), lie.clone(), lie.clone());
                id[0] ^= 0xff;
                name[13] ^= 1;
                class[count - 1] = 3;
                question[2] &= 0x7f;
                for lie in [id, name, class, question] {
                    server.send_to(&lie, visitor).unwrap();
                }
                std::thread::sleep(Duration::from_millis(50));
                server.send_to(&loopback(query, 1), visitor).unwrap();
            }
        });
        let lookup = Lookup::new(kernel, scratch);
        lookup
            .fetch(&["127.0.0.6"], "http://boot.example:8080/image")
            .unwrap_or_else(|error| panic!("{error}"));
    });
}
