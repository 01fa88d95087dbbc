//! Whole boots with the interfaces va and vb, with real servers behind them: dnsmasq for DHCP and router advertisements, nginx for the
//! image. They run in the real kernel, with a separate root and network, and boot like the dracut module, which ends when the new root
//! is ready.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dayfly_init::boot::{Ended, boot};
use dayfly_plan::{Way, paths};
use dayfly_sys::{Kernel, Sys};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

use crate::hosts::{Host, Server, Site};
use crate::namespace::{apart, run, shell};

/// The network behind an interface.
#[derive(Clone, Copy)]
pub struct Network {
    /// dnsmasq answers, with these options in addition to address and router.
    pub dhcp: Option<&'static [&'static str]>,
    /// nginx has the image.
    pub has_image: bool,
    /// Traffic without a route is refused at once (ICMP); otherwise it is dropped silently.
    pub refuses: bool,
}

pub const GOOD: Network = Network { dhcp: Some(&[]), has_image: true, refuses: true };

/// What a test checks when the boot has returned.
pub struct Booted {
    pub ended: Ended,
    pub took: Duration,
    pub report: Value,
    pub log: String,
    pub addresses: Value,
    pub routes: Value,
    pub routes6: Value,
    pub resolv_conf: String,
    /// What dnsmasq behind va wrote.
    pub servers_log: String,
    /// The files of leases, by the name of the server's host.
    pub leases: HashMap<String, String>,
}

impl Booted {
    pub fn attempts(&self, step: &str) -> Vec<&Value> {
        self.report["steps"].as_array().unwrap().iter().filter(|row| row["step"] == step).collect()
    }

    pub fn card(&self, name: &str) -> &Value {
        self.addresses.as_array().unwrap().iter().find(|card| card["ifname"] == name).unwrap()
    }

    /// The IPv4 addresses of an interface, according to the real ip(8).
    pub fn addresses_of(&self, name: &str) -> Vec<String> {
        let list = self.card(name)["addr_info"].as_array().unwrap();
        let v4 = list.iter().filter(|one| one["family"] == "inet");
        v4.map(|one| format!("{}/{}", one["local"].as_str().unwrap(), one["prefixlen"])).collect()
    }

    /// The global IPv6 addresses of an interface.
    pub fn addresses6_of(&self, name: &str) -> Vec<String> {
        let list = self.card(name)["addr_info"].as_array().unwrap();
        let v6 = list.iter().filter(|one| one["family"] == "inet6" && one["scope"] == "global");
        v6.map(|one| format!("{}/{}", one["local"].as_str().unwrap(), one["prefixlen"])).collect()
    }

    /// The interfaces of the default routes, best first.
    pub fn defaults(&self) -> Vec<&str> {
        let routes = self.routes.as_array().unwrap();
        let mut defaults: Vec<_> = routes.iter().filter(|route| route["dst"] == "default").collect();
        defaults.sort_by_key(|route| route["metric"].as_u64());
        defaults.into_iter().map(|route| route["dev"].as_str().unwrap()).collect()
    }

    /// One interface is configured, and the other is as before: down, without an address and without a route.
    pub fn assert_only(&self, winner: &str, loser: &str) {
        assert_eq!(self.ended, Ended::Left, "{}", self.log);
        assert_eq!(self.addresses_of(winner).len(), 1, "{}\n{}", self.addresses, self.log);
        assert_eq!(self.defaults(), [winner], "{}\n{}", self.routes, self.log);
        assert_eq!(self.card(loser)["addr_info"].as_array().unwrap().len(), 0, "{}", self.addresses);
        assert_eq!(self.card(loser)["operstate"], "DOWN", "{}", self.addresses);
        assert!(self.routes.as_array().unwrap().iter().all(|route| route["dev"] != loser), "{}", self.routes);
    }
}

/// Boots with the interfaces va and vb, and these networks behind them. The image is at 10.9.9.9.
pub fn booted(words: &str, networks: [Network; 2]) -> Booted {
    booted_under(words, networks, || ())
}

/// The same, with `attack` running once the networks exist.
pub fn booted_under(words: &str, networks: [Network; 2], attack: impl FnOnce() + Send) -> Booted {
    booted_on(words, |site| {
        let servers = networks
            .iter()
            .zip(["va", "vb"])
            .flat_map(|(network, card)| serve(site, card, *network))
            .collect();
        attack();
        servers
    })
}

/// Boots on the network that `build` makes. The servers that it returns run until the boot has ended.
pub fn booted_on(words: &str, build: impl FnOnce(&Site) -> Vec<Server> + Send) -> Booted {
    booted_then(words, build, |booted, _| booted)
}

/// The same. `then` runs on the booted node while the servers still run. It also gets the folder of the test, which is outside of the
/// node's root.
pub fn booted_then<T: Send>(
    words: &str,
    build: impl FnOnce(&Site) -> Vec<Server> + Send,
    then: impl FnOnce(Booted, &fs::File) -> T + Send,
) -> T {
    let words = format!(
        "root=live:http://10.9.9.9/os.squashfs dayfly.image.connect=2 dayfly.config.device=none rd.retry=30 {words}"
    );
    apart(move |_, scratch| {
        unshare(CloneFlags::CLONE_NEWUTS).expect("a namespace for the host name");
        run("mount", &["-t", "tmpfs", "run", "/run"]);
        let site = Site { scratch: scratch.to_owned(), www: image(scratch) };
        let servers = build(&site);
        // The folder is not in the root that the boot gets.
        let folder = fs::File::open(scratch).unwrap();
        enter_root(scratch, &words);
        let started = Instant::now();
        let ended = boot(&(Arc::new(Kernel::new()) as Arc<dyn Sys>), Way::Dracut, &[]);
        let took = started.elapsed();
        let json = |args: &[&str]| serde_json::from_str(&run("ip", args)).unwrap();
        let booted = Booted {
            ended,
            took,
            report: serde_json::from_slice(&fs::read(paths::BOOT_JSON).unwrap()).unwrap(),
            log: fs::read_to_string(paths::BOOT_LOG).unwrap(),
            addresses: json(&["-json", "address"]),
            routes: json(&["-json", "route"]),
            routes6: json(&["-json", "-6", "route"]),
            servers_log: text(&folder, "net-va/dnsmasq.log"),
            resolv_conf: fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
            leases: leases(&folder),
        };
        let result = then(booted, &folder);
        // A router that ends takes its routes back.
        drop(servers);
        result
    })
}

/// A file in the folder of the test, if there is one.
pub fn text(folder: &fs::File, name: &str) -> String {
    fs::read_to_string(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd())).unwrap_or_default()
}

/// The content of the files `HOST/leases`.
fn leases(folder: &fs::File) -> HashMap<String, String> {
    let folder = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    let hosts = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
    let text = |host: &fs::DirEntry| fs::read_to_string(host.path().join("leases")).ok();
    hosts.filter_map(|host| Some((host.file_name().into_string().ok()?, text(&host)?))).collect()
}

/// An OS of one file, which is never started.
pub fn image(scratch: &Path) -> PathBuf {
    shell(&format!(
        "cd {}; mkdir -p www tree/sbin tree/usr/bin tree/etc tree/var tree/home tree/opt tree/root tree/proc tree/sys tree/dev tree/run tree/tmp
         printf '#!/bin/sh\\n' > tree/sbin/init; chmod 755 tree/sbin/init; mksquashfs tree www/os.squashfs -quiet -no-progress",
        scratch.display()
    ));
    scratch.join("www")
}

/// Makes a cable with a network behind it.
pub fn serve(site: &Site, card: &str, network: Network) -> Vec<Server> {
    let last = if card == "va" { 1 } else { 2 };
    let host = Host::new(site, &format!("net-{card}"));
    let forward = u8::from(network.refuses);
    shell(&format!(
        "ip link add {card} address 02:00:00:00:00:0{last} type veth peer name lan netns {}",
        host.name
    ));
    host.shell(&format!(
        "ip link set lan up; ip address add 10.9.{last}.1/24 dev lan
         ip address add fd09:{last}::1/64 dev lan nodad; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
         echo {forward} > /proc/sys/net/ipv4/ip_forward"
    ));
    let mut servers = Vec::new();
    if let Some(options) = network.dhcp {
        let mut options: Vec<String> = options.iter().map(ToString::to_string).collect();
        if !options.iter().any(|option| option.starts_with("--dhcp-range")) {
            options.push(format!("--dhcp-range=10.9.{last}.50,10.9.{last}.60,255.255.255.0,1h"));
        }
        servers.push(host.dnsmasq(&options));
    }
    if network.has_image {
        servers.push(host.nginx(&site.www));
    }
    servers
}

/// Enters a copy of the machine's root, with all writes in memory.
pub fn enter_root(scratch: &Path, words: &str) {
    shell(&format!(
        "cd {}; mkdir u w root; mount -t overlay -o lowerdir=/,upperdir=u,workdir=w root root
         mount --rbind /dev root/dev; touch console kmsg
         for file in console kmsg; do mount --bind $file root/dev/$file; done
         mount -t proc proc root/proc; mount -t sysfs sys root/sys; mount -t tmpfs run root/run
         mkdir -p root/run/dayfly root/sysroot root/lib/modules/$(uname -r)
         cd root/lib/modules/$(uname -r); touch modules.dep modules.alias modules.softdep
         for name in squashfs overlay loop af_packet; do echo kernel/$name.ko; done > modules.builtin",
        scratch.display()
    ));
    let root = scratch.join("root");
    fs::write(root.join(paths::DRACUT_CMDLINE.trim_start_matches('/')), words).unwrap();
    nix::unistd::chroot(&root).unwrap();
    nix::unistd::chdir("/").unwrap();
}
