//! The network services of an OS go on with the lease of the boot. The boot writes its files into an image that starts the service, then
//! the real program of Debian reads them. dnsmasq's log and the kernel's events tell what it did.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dayfly_init::boot::Ended;
use serde_json::Value;

use crate::boots::{Booted, GOOD, Network, booted_then, serve, text};
use crate::hosts::Site;
use crate::namespace::{run, shell};

/// A renewal is due after five seconds. Two minutes are the shortest lease of dnsmasq.
const SHORT: Network = Network {
    dhcp: Some(&[
        "--dhcp-range=10.9.1.50,10.9.1.60,255.255.255.0,2m",
        "--dhcp-option-force=option:T1,5",
        "--dhcp-option-force=option:T2,100",
    ]),
    ..GOOD
};
/// How long a service may take for something on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// The address by which the test marks a moment in the kernel's events.
const MARK: &str = "192.0.2.1/32";
/// What the services read below /etc besides the files that the boot writes.
const ETC: [&str; 10] = [
    "passwd",
    "group",
    "nsswitch.conf",
    "ld.so.cache",
    "dbus-1",
    "dhcp",
    "dhcpcd.conf",
    "NetworkManager",
    "network",
    "default",
];

/// A network service in an image.
struct Service {
    /// The name of its unit.
    unit: &'static str,
    /// The files by which the boot knows it, below the root of the image.
    image: &'static [&'static str],
    /// The commands by which the OS prepares and starts it.
    start: &'static str,
    /// What the step says that the service does with the address.
    told: &'static str,
}

/// Builds an image with systemd that starts the service.
fn build(site: &Site, service: &Service) {
    let copied = ETC.map(|name| format!("/etc/{name}")).join(" ");
    shell(&format!(
        "cd {}/tree; rm -r sbin; mkdir -p usr/sbin usr/lib/systemd usr/lib64
         ln -s usr/bin usr/sbin usr/lib usr/lib64 .; ln -s ../run var/run
         touch usr/lib/systemd/systemd; chmod 755 usr/lib/systemd/systemd; ln -s ../lib/systemd/systemd usr/sbin/init
         cp -a {copied} etc; printf 'auto lo\\niface lo inet loopback\\n' > etc/network/interfaces
         for file in etc/systemd/system/multi-user.target.wants/{}.service {}; do mkdir -p $(dirname $file); touch $file; done
         rm ../www/os.squashfs; mksquashfs . ../www/os.squashfs -quiet -no-progress",
        site.scratch.display(),
        service.unit,
        service.image.join(" ")
    ));
}

/// A program that ends with the test, and all that it has started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command, log: &str) -> Running {
    let log = fs::File::create(log).unwrap();
    let error = log.try_clone().unwrap();
    Running(command.stdin(Stdio::null()).stdout(log).stderr(error).spawn().unwrap())
}

fn read(path: &str) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

fn wait_until(what: &str, is_true: impl Fn() -> bool, say: impl Fn() -> String) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < LIMIT, "{what} did not come:\n{}", say());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The kernel's events of addresses and routes.
struct Events {
    log: &'static str,
    _monitor: Running,
}

impl Events {
    fn follow() -> Self {
        let log = "/tmp/events.log";
        let monitor = start(Command::new("ip").args(["monitor", "address", "route"]), log);
        let events = Self { log, _monitor: monitor };
        events.mark();
        events
    }

    /// Waits until the log has all events from before this call.
    fn mark(&self) {
        let before = read(self.log).matches(MARK).count();
        let is_there = || {
            // The monitor may have missed the first ones.
            run("ip", &["address", "replace", MARK, "dev", "lo"]);
            run("ip", &["address", "del", MARK, "dev", "lo"]);
            read(self.log).matches(MARK).count() > before
        };
        wait_until("an event", is_there, || read(self.log));
    }

    /// The address was there all the time, and so was a default route.
    fn assert_steady(&self, address: &str, route: &str) {
        self.mark();
        let all = read(self.log);
        let mut routes = vec![route.trim().to_owned()];
        for line in all.lines() {
            let (is_deleted, event) =
                line.strip_prefix("Deleted ").map_or((false, line), |event| (true, event));
            assert!(
                !is_deleted || !event.contains(&format!(" inet {address}/")),
                "{address} was removed\n{all}"
            );
            if event.starts_with("default ") && !is_deleted {
                routes.push(event.trim().to_owned());
            } else if is_deleted {
                routes.retain(|route| route != event.trim());
                assert!(!routes.is_empty(), "there was no default route\n{all}");
            }
        }
    }
}

/// The OS on the booted node: the root that the boot left, with the programs of this machine.
fn start_os(service: &Service) -> Running {
    shell(
        "cd /sysroot; mount --rbind /dev dev; mount --rbind /run run; mount --rbind /usr usr; mount -t sysfs -o ro sys sys
         mount -t tmpfs tmp tmp",
    );
    // The end of its process 1 ends every daemon.
    let script = format!("set -eux\n{}\nwhile :; do sleep 600; done", service.start);
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc=/sysroot/proc", "chroot", "/sysroot"]);
    start(unshare.args(["/bin/sh", "-c", &script]), "/tmp/os.log")
}

fn address(booted: &Booted) -> String {
    let addresses = booted.addresses_of("va");
    assert_eq!(addresses.len(), 1, "{}", booted.addresses);
    addresses[0].clone()
}

/// How long the address is still valid, in seconds.
fn valid(cidr: &str) -> u64 {
    let all: Value =
        serde_json::from_str(&run("ip", &["-json", "-4", "address", "show", "dev", "va"])).unwrap();
    let list = all[0]["addr_info"].as_array().unwrap();
    let [one] = &list[..] else { panic!("{all}") };
    assert_eq!(format!("{}/{}", one["local"].as_str().unwrap(), one["prefixlen"]), cidr, "{all}");
    one["valid_life_time"].as_u64().unwrap()
}

/// Boots the image, starts its service, and checks that it renews the lease of the boot, that the address stays on the interface all
/// the time, and that there is no second lease.
fn goes_on(service: &Service) {
    let network = |site: &Site| {
        build(site, service);
        serve(site, "va", SHORT)
    };
    booted_then("ip=va:dhcp", network, |booted, folder| {
        assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
        let told = booted.attempts("address")[0]["detail"].to_string();
        assert!(told.contains(service.told), "{told}");
        let cidr = address(&booted);
        let leased = cidr.strip_suffix("/24").unwrap();
        let servers_log = || text(folder, "net-va/dnsmasq.log");
        let before = servers_log().len();

        let route = run("ip", &["route", "show", "default"]);
        let events = Events::follow();
        let _os = start_os(service);
        let told = || format!("{}\n{}", &servers_log()[before..], read("/tmp/os.log"));
        // The lease is confirmed, then renewed.
        wait_until("a renewal", || servers_log()[before..].matches("DHCPACK(lan)").count() >= 2, told);
        // Without its renewals, the address of the boot would be valid for a shorter time by now.
        wait_until("a longer lifetime", || valid(&cidr) >= 116, told);

        events.assert_steady(leased, &route);
        let said = &servers_log()[before..];
        for line in said.lines().filter(|line| line.contains("(lan)")) {
            let is_renewal = line.contains("DHCPREQUEST(lan)") || line.contains("DHCPACK(lan)");
            assert!(is_renewal && line.contains(&format!(" {leased} ")), "{said}");
        }
        let routes: Value = serde_json::from_str(&run("ip", &["-json", "route", "show", "default"])).unwrap();
        let [route] = &routes.as_array().unwrap()[..] else { panic!("{routes}") };
        assert_eq!(
            (&route["gateway"], &route["dev"], &route["metric"]),
            (&"10.9.1.1".into(), &"va".into(), &1024.into()),
            "{routes}"
        );
    });
}

#[test]
fn network_manager_goes_on_with_the_lease() {
    goes_on(&Service {
        unit: "NetworkManager",
        image: &[],
        start: "mkdir -p /run/dbus; dbus-daemon --system
                NetworkManager --debug &",
        told: "NetworkManager renews 10.9.1.5",
    });
}

#[test]
fn dhcpcd_goes_on_with_the_lease() {
    goes_on(&Service {
        unit: "dhcpcd",
        image: &[],
        // It would wait for udev.
        start: "dhcpcd --nodev --background",
        told: "dhcpcd renews 10.9.1.5",
    });
}

#[test]
fn ifupdown_goes_on_with_the_lease_by_dhclient() {
    goes_on(&Service {
        unit: "networking",
        image: &["usr/lib/ifupdown/settle-dad.sh", "usr/sbin/dhclient"],
        start: "mkdir -p /run/network; ifup -a --verbose",
        told: "ifupdown and dhclient renew 10.9.1.5",
    });
}

#[test]
fn ifupdown_goes_on_with_the_lease_by_dhcpcd() {
    goes_on(&Service {
        unit: "networking",
        image: &["usr/lib/ifupdown/settle-dad.sh", "usr/sbin/dhcpcd"],
        start: "rm /usr/sbin/dhclient; mkdir -p /run/network; ifup -a --verbose",
        told: "ifupdown and dhcpcd renew 10.9.1.5",
    });
}

/// ifupdown-ng, which Alpine Linux has, unpacked by qemu/provision.
#[test]
fn ifupdown_ng_goes_on_with_the_lease_by_dhcpcd() {
    goes_on(&Service {
        unit: "networking",
        image: &["usr/libexec/ifupdown-ng/dhcp", "usr/sbin/dhcpcd"],
        start: "tar -C /usr/local/lib/dayfly-tests/ifupdown-ng -c . | tar -C / -x --keep-directory-symlink; ifup --auto --verbose",
        told: "ifupdown and dhcpcd renew 10.9.1.5",
    });
}
