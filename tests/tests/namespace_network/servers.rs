//! Servers besides dnsmasq: Kea and ISC's dhcpd for DHCP, ISC's relay, and radvd.

use std::fs;

use serde_json::{Value, json};

use crate::hosts::{Host, Server};

/// A copy of a server's program. Debian's AppArmor profiles are for the path in /usr/sbin and keep the server from the test's folder.
fn own_copy(host: &Host, program: &str) -> String {
    let copy = host.folder.join(program);
    fs::copy(format!("/usr/sbin/{program}"), &copy).unwrap();
    copy.display().to_string()
}

/// Kea for DHCPv4 on the interface `lan`, with one subnet.
pub fn kea4(host: &Host, subnet: &Value) -> Server {
    kea(host, 4, subnet)
}

/// Kea for DHCPv6 on the interface `lan`, with one subnet of that link.
pub fn kea6(host: &Host, subnet: &Value) -> Server {
    kea(host, 6, subnet)
}

fn kea(host: &Host, version: u8, subnet: &Value) -> Server {
    let (name, dhcp) = (format!("kea-dhcp{version}"), format!("Dhcp{version}"));
    let mut config = json!({
        "interfaces-config": { "interfaces": ["lan"] },
        "lease-database": { "type": "memfile", "name": host.folder.join("leases"), "lfc-interval": 0 },
        "loggers": [{ "name": name, "severity": "INFO", "output_options": [{ "output": "stderr" }] }],
        "valid-lifetime": 3600,
    });
    config[format!("subnet{version}")] = json!([subnet]);
    if version == 6 {
        config["server-id"] = json!({ "type": "LL", "persist": false });
    }
    let path = host.write(&format!("{name}.json"), &json!({ dhcp: config }).to_string());
    host.start(&own_copy(host, &name), &["-c".into(), path], &[&format!("DHCP{version}_STARTED")])
}

/// ISC's dhcpd for DHCPv4 or DHCPv6 on the interface `lan`. `declarations` are those of dhcpd.conf(5).
pub fn dhcpd(host: &Host, version: u8, declarations: &str) -> Server {
    let config = format!("authoritative; default-lease-time 3600; max-lease-time 3600;\n{declarations}");
    let config = host.write("dhcpd.conf", &config);
    let (leases, pid) = (host.write("leases", ""), host.folder.join("dhcpd.pid").display().to_string());
    let program = own_copy(host, "dhcpd");
    let version = format!("-{version}");
    let args = [&*version, "-f", "-d", "-cf", &config, "-lf", &leases, "-pf", &pid, "lan"];
    host.start(&program, &args.map(String::from), &["Server starting service"])
}

/// radvd on the interface `lan`. `options` are those of an interface in radvd.conf(5).
pub fn radvd(host: &Host, options: &str) -> Server {
    let args = ["--debug", "2"].into_iter().map(str::to_owned).chain(radvd_args(host, options));
    host.start("radvd", &args.collect::<Vec<String>>(), &["polling for"])
}

/// The same, some seconds later. Its process starts at once, because the files of the test are out of reach once the boot runs.
pub fn radvd_after(seconds: u32, host: &Host, options: &str) -> Server {
    let script =
        format!("echo waiting >&2; sleep {seconds}; exec radvd {}", radvd_args(host, options).join(" "));
    host.start("sh", &["-c".to_owned(), script], &["waiting"])
}

fn radvd_args(host: &Host, options: &str) -> Vec<String> {
    let config = format!("interface lan {{ AdvSendAdvert on;\n{options}\n}};");
    let config = host.write("radvd.conf", &config);
    let pid = host.folder.join("radvd.pid").display().to_string();
    ["--nodaemon", "--logmethod", "stderr", "-C", &config, "-p", &pid].map(String::from).to_vec()
}

/// unbound at fe80::1 of `lan`, as the name server of the records that it is told.
pub fn unbound(host: &Host, data: &str) -> Server {
    let config = format!(
        "server:\n interface: fe80::1%lan\n access-control: ::0/0 allow\n username: \"\"\n chroot: \"\"\n directory: \"{}\"\n \
         pidfile: \"\"\n use-syslog: no\n do-daemonize: no\n num-threads: 1\n module-config: iterator\n verbosity: 1\n \
         local-zone: \"lan.\" static\n {data}\nremote-control:\n control-enable: no\n",
        host.folder.display()
    );
    let config = host.write("unbound.conf", &config);
    host.start("unbound", &["-d".to_owned(), "-c".to_owned(), config], &["start of service"])
}

/// ISC's relay from the clients on `lan` to a server behind `uplink`.
pub fn dhcrelay(host: &Host, args: &[&str]) -> Server {
    let args: Vec<String> = ["-d", "--no-pid"].iter().chain(args).map(ToString::to_string).collect();
    host.start("dhcrelay", &args, &["Sending on   Socket/"])
}
