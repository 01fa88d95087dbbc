//! Whole boots over two interfaces with two real DHCP servers, and a real nginx behind one of them: the real kernel, with a separate
//! root and network. They boot like the dracut module, which ends when the new root is ready.

mod namespace;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dayfly_init::boot::{Ended, boot};
use dayfly_plan::{Way, paths};
use dayfly_sys::{Kernel, Sys};
use namespace::{apart, run, shell};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

/// Ends the server when the test ends, for whatever reason.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // By SIGTERM, since nginx's worker would stay otherwise. An error means that it has ended already.
        let _ =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0.id() as i32), nix::sys::signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// The network behind an interface.
#[derive(Clone, Copy)]
struct Network {
    /// dnsmasq answers, with these options in addition to address and router.
    dhcp: Option<&'static [&'static str]>,
    /// nginx has the image.
    has_image: bool,
    /// Traffic without a route is refused at once (ICMP); otherwise it is dropped silently.
    refuses: bool,
}

const GOOD: Network = Network { dhcp: Some(&[]), has_image: true, refuses: true };

/// What a test checks when the boot has returned.
struct Booted {
    ended: Ended,
    took: Duration,
    report: Value,
    log: String,
    addresses: Value,
    routes: Value,
}

impl Booted {
    fn attempts(&self, step: &str) -> Vec<&Value> {
        self.report["steps"].as_array().unwrap().iter().filter(|row| row["step"] == step).collect()
    }

    fn card(&self, name: &str) -> &Value {
        self.addresses.as_array().unwrap().iter().find(|card| card["ifname"] == name).unwrap()
    }

    /// The IPv4 addresses of an interface, according to the real ip(8).
    fn addresses_of(&self, name: &str) -> Vec<String> {
        let list = self.card(name)["addr_info"].as_array().unwrap();
        let v4 = list.iter().filter(|one| one["family"] == "inet");
        v4.map(|one| format!("{}/{}", one["local"].as_str().unwrap(), one["prefixlen"])).collect()
    }

    /// The interfaces of the default routes, best first.
    fn defaults(&self) -> Vec<&str> {
        let routes = self.routes.as_array().unwrap();
        let mut defaults: Vec<_> = routes.iter().filter(|route| route["dst"] == "default").collect();
        defaults.sort_by_key(|route| route["metric"].as_u64());
        defaults.into_iter().map(|route| route["dev"].as_str().unwrap()).collect()
    }

    /// One interface is configured, and the other is as before: down, without an address and without a route.
    fn assert_only(&self, winner: &str, loser: &str) {
        assert_eq!(self.ended, Ended::Left, "{}", self.log);
        assert_eq!(self.addresses_of(winner).len(), 1, "{}\n{}", self.addresses, self.log);
        assert_eq!(self.defaults(), [winner], "{}\n{}", self.routes, self.log);
        assert_eq!(self.card(loser)["addr_info"].as_array().unwrap().len(), 0, "{}", self.addresses);
        assert_eq!(self.card(loser)["operstate"], "DOWN", "{}", self.addresses);
        assert!(self.routes.as_array().unwrap().iter().all(|route| route["dev"] != loser), "{}", self.routes);
    }
}

/// Boots with the interfaces va and vb, and these networks behind them. The image is at 10.9.9.9.
fn booted(words: &str, networks: [Network; 2]) -> Booted {
    booted_under(words, networks, || ())
}

/// The same, with `attack` running once the networks exist.
fn booted_under(words: &str, networks: [Network; 2], attack: impl FnOnce() + Send) -> Booted {
    let words = format!(
        "root=live:http://10.9.9.9/os.squashfs dayfly.image.connect=2 dayfly.config.device=none rd.retry=30 {words}"
    );
    apart(move |_, scratch| {
        unshare(CloneFlags::CLONE_NEWUTS).expect("a namespace for the host name");
        run("mount", &["-t", "tmpfs", "run", "/run"]);
        let image = image(scratch);
        let servers: Vec<Vec<Server>> = networks
            .iter()
            .zip(["va", "vb"])
            .map(|(network, card)| serve(scratch, &image, card, *network))
            .collect();
        attack();
        enter_root(scratch, &words);
        let started = Instant::now();
        let ended = boot(&(Arc::new(Kernel::new()) as Arc<dyn Sys>), Way::Dracut, &[]);
        let took = started.elapsed();
        drop(servers);
        let json = |args: &[&str]| serde_json::from_str(&run("ip", args)).unwrap();
        Booted {
            ended,
            took,
            report: serde_json::from_slice(&fs::read(paths::BOOT_JSON).unwrap()).unwrap(),
            log: fs::read_to_string(paths::BOOT_LOG).unwrap(),
            addresses: json(&["-json", "address"]),
            routes: json(&["-json", "route"]),
        }
    })
}

/// An OS of one file, which is never started.
fn image(scratch: &Path) -> PathBuf {
    shell(&format!(
        "cd {}; mkdir -p www tree/sbin tree/usr/bin tree/etc tree/var tree/home tree/opt tree/root tree/proc tree/sys tree/dev tree/run tree/tmp
         printf '#!/bin/sh\\n' > tree/sbin/init; chmod 755 tree/sbin/init; mksquashfs tree www/os.squashfs -quiet -no-progress",
        scratch.display()
    ));
    scratch.join("www")
}

/// Makes a cable with a network behind it.
fn serve(scratch: &Path, www: &Path, card: &str, network: Network) -> Vec<Server> {
    let (name, last) = (format!("net-{card}"), if card == "va" { 1 } else { 2 });
    let forward = u8::from(network.refuses);
    shell(&format!(
        "ip netns add {name}; ip link add {card} address 02:00:00:00:00:0{last} type veth peer name lan netns {name}
         cd /; exec ip netns exec {name} sh -euc '
           ip link set lo up; ip link set lan up; ip address add 10.9.{last}.1/24 dev lan
           echo {forward} > /proc/sys/net/ipv4/ip_forward'"
    ));
    let folder = scratch.join(&name);
    fs::create_dir(&folder).unwrap();
    let log = folder.join("log");
    let inside = |program: &str, args: &[String]| {
        let file = fs::File::create(&log).unwrap();
        let child = Command::new("ip")
            .args(["netns", "exec", &name, program])
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::from(file))
            .spawn()
            .expect("ip(8) is installed");
        Server(child)
    };
    let mut servers = Vec::new();
    if let Some(options) = network.dhcp {
        let fixed = [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--port=0",
            "--interface=lan",
            "--user=root",
            "--no-ping",
            "--dhcp-authoritative",
            "--log-facility=-",
            "--pid-file",
        ];
        let mut args: Vec<String> = fixed.iter().chain(options).map(ToString::to_string).collect();
        args.push(format!("--dhcp-leasefile={}", folder.join("leases").display()));
        if !options.iter().any(|option| option.starts_with("--dhcp-range")) {
            args.push(format!("--dhcp-range=10.9.{last}.50,10.9.{last}.60,255.255.255.0,1h"));
        }
        servers.push(inside("dnsmasq", &args));
        let started = Instant::now();
        while !fs::read_to_string(&log).unwrap().contains("IP range") {
            let said = fs::read_to_string(&log).unwrap();
            assert!(started.elapsed() < Duration::from_secs(20), "dnsmasq is not ready: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    if network.has_image {
        shell(&format!("ip netns exec {name} ip address add 10.9.9.9/32 dev lo"));
        let config = format!(
            "user root; daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log; events {{}}
             http {{ access_log off; client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3;
               uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5; server {{ listen 80; root {1}; }} }}",
            folder.display(),
            www.display()
        );
        fs::write(folder.join("nginx.conf"), config).unwrap();
        servers.push(inside("nginx", &["-c".into(), folder.join("nginx.conf").display().to_string()]));
        let started = Instant::now();
        // Port 80, listening.
        let listens =
            || shell(&format!("ip netns exec {name} cat /proc/net/tcp")).contains(":0050 00000000:0000 0A");
        while !listens() {
            assert!(started.elapsed() < Duration::from_secs(20), "nginx does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    servers
}

/// Enters a copy of the machine's root, with all writes in memory.
fn enter_root(scratch: &Path, words: &str) {
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

#[test]
fn the_image_is_found_behind_whichever_card_leads_to_it() {
    let away = |refuses| Network { has_image: false, refuses, ..GOOD };
    for (networks, winner, loser) in [
        ([away(false), GOOD], "vb", "va"),
        ([GOOD, away(true)], "va", "vb"),
        ([away(true), GOOD], "vb", "va"),
    ] {
        let booted = booted("", networks);
        booted.assert_only(winner, loser);
        assert!(booted.addresses_of(winner)[0].starts_with(if winner == "va" {
            "10.9.1."
        } else {
            "10.9.2."
        }));
        let settled = booted.attempts("settle");
        assert_eq!(settled.len(), 1);
        // If the wrong interface was first, the boot log says so.
        let went_back = booted.attempts("network").len() > 1;
        let told = settled[0]["detail"].as_str().unwrap();
        assert_eq!(
            told.contains("dropped after a failure: GET http://10.9.9.9/os.squashfs"),
            went_back,
            "{told}"
        );
        assert_eq!(booted.report["node"]["mac"], booted.card(winner)["address"]);
    }
}

#[test]
fn the_wrong_card_first_is_given_up_for_the_other() {
    let networks = |refuses| [Network { has_image: false, refuses, ..GOOD }, GOOD];
    for refuses in [true, false] {
        // The interface from which the firmware booted is first.
        let booted = booted("BOOTIF=01-02-00-00-00-00-01", networks(refuses));
        booted.assert_only("vb", "va");
        let networks = booted.attempts("network");
        assert!(networks[0]["detail"].as_str().unwrap().starts_with("va has 10.9.1."), "{networks:?}");
        assert!(networks.last().unwrap()["detail"].as_str().unwrap().starts_with("vb has 10.9.2."));
        let words = "va: 10.9.1.";
        let told = booted.attempts("settle")[0]["detail"].as_str().unwrap();
        assert!(
            told.contains(words) && told.contains("dropped after a failure: GET http://10.9.9.9"),
            "{told}"
        );
    }
    // Both are named, so both are configured; the routes of the one that leads to the image have precedence.
    let booted = booted("ip=va:dhcp ip=vb:dhcp", networks(true));
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    assert_eq!(booted.defaults(), ["vb", "va"], "{}\n{}", booted.routes, booted.log);
    assert_eq!(booted.addresses_of("va").len(), 1, "{}", booted.addresses);
    assert_eq!(booted.addresses_of("vb").len(), 1, "{}", booted.addresses);
}

#[test]
fn a_second_card_without_an_answer_costs_nothing() {
    let booted = booted("", [GOOD, Network { dhcp: None, has_image: false, refuses: false }]);
    booted.assert_only("va", "vb");
    assert_eq!(booted.attempts("network").len(), 1);
    assert!(booted.took < Duration::from_secs(10), "{:?}", booted.took);
}

#[test]
fn of_two_good_cards_one_is_configured() {
    let booted = booted("", [GOOD, GOOD]);
    let winner = booted.defaults()[0].to_owned();
    booted.assert_only(&winner, if winner == "va" { "vb" } else { "va" });
    assert_eq!(booted.attempts("network").len(), 1);
}

/// Options of a real server that no interface and no kernel accepts.
#[test]
fn nonsense_of_a_real_server_does_not_keep_the_node_from_its_image() {
    let odd: &[&str] = &[
        // 65535 is the most that veth accepts.
        "--dhcp-option-force=option:mtu,65535",
        "--dhcp-option-force=option:classless-static-route,127.0.0.0/8,10.9.1.9,224.0.0.0/4,10.9.1.9,192.168.7.0/24,10.9.1.9,0.0.0.0/0,10.9.1.1,0.0.0.0/0,10.9.1.7,198.51.100.0/24,172.16.0.9",
        "--dhcp-option-force=option:dns-server,255.255.255.255,10.9.1.1",
    ];
    let booted = booted("ip=va:dhcp", [Network { dhcp: Some(odd), ..GOOD }, GOOD]);
    booted.assert_only("va", "vb");
    let routes: Vec<(&str, &str)> = booted
        .routes
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|route| Some((route["dst"].as_str()?, route["gateway"].as_str()?)))
        .collect();
    for wanted in [("default", "10.9.1.1"), ("192.168.7.0/24", "10.9.1.9"), ("198.51.100.0/24", "172.16.0.9")]
    {
        assert!(routes.contains(&wanted), "{routes:?}");
    }
    assert_eq!(routes.len(), 3, "{routes:?}");
    for line in [
        "va: route 127.0.0.0/8 via 10.9.1.9 ignored: 127.0.0.0/8 is this host itself",
        "va: route 224.0.0.0/4 via 10.9.1.9 ignored: 224.0.0.0/4 is multicast",
        "va: route 0.0.0.0/0 via 10.9.1.7 ignored: the same network already has a route",
        "va: router 172.16.0.9 is outside the network 10.9.1.",
        "va: name server 255.255.255.255 is the broadcast address, ignored",
    ] {
        assert!(booted.log.contains(line), "{line:?} is not in\n{}", booted.log);
    }
    assert_eq!(booted.card("va")["mtu"], 65535);
}

#[test]
fn a_host_alone_in_its_net_reaches_its_router() {
    let cloud: &[&str] =
        &["--dhcp-option-force=option:netmask,255.255.255.255", "--dhcp-option-force=option:router,10.9.1.1"];
    let booted = booted("ip=va:dhcp", [Network { dhcp: Some(cloud), ..GOOD }, GOOD]);
    booted.assert_only("va", "vb");
    assert!(booted.addresses_of("va")[0].ends_with("/32"), "{}", booted.addresses);
}

#[test]
fn a_card_keeps_to_the_mtu_that_it_can_do() {
    // The driver of veth accepts 68 to 65535; DHCP's messages do not fit into 68.
    for (words, mtu) in [("ip=va:dhcp:65535", 65535), ("ip=va:dhcp:68", 576), ("ip=va:dhcp:9000", 9000)] {
        let booted = booted(words, [GOOD, GOOD]);
        booted.assert_only("va", "vb");
        assert_eq!(booted.card("va")["mtu"], mtu, "{words}: {}", booted.log);
    }
}

/// A neighbour that sends packets to the DHCP client's port as quickly as it can. Once each was a line in an unlimited queue:
/// 300 MB, and neither a failure screen nor boot.json.
#[test]
fn a_flood_of_dhcp_packets_leaves_memory_and_the_record_alone() {
    let nobody = Network { dhcp: None, has_image: false, refuses: true };
    let memory = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = memory();
    let sent = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let booted = booted_under("dayfly.retry=6", [nobody, nobody], move || {
        let network = fs::File::open("/run/netns/net-va").unwrap();
        std::thread::spawn(move || {
            nix::sched::setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            let socket = std::net::UdpSocket::bind("10.9.1.1:67").unwrap();
            socket.set_broadcast(true).unwrap();
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(30) {
                // Before the interface is up, sending fails.
                if socket.send_to(&[2; 300], "10.9.1.255:68").is_ok() {
                    counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        });
    });
    let sent = sent.load(std::sync::atomic::Ordering::Relaxed);
    assert!(sent > 10_000, "{sent} packets are no flood");
    let grown = memory().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more for {sent} packets");
    assert_eq!(booted.ended, Ended::Failed);
    assert_eq!(
        (&booted.report["outcome"], &booted.report["failure"]["code"]),
        (&"failed".into(), &"net.no-lease".into())
    );
    assert!(booted.log.len() < 1 << 20, "{} bytes", booted.log.len());
    assert!(booted.log.contains(" more lines of this kind were suppressed"), "{}", booted.log);
    assert!(booted.log.contains("DAYFLY COULD NOT BOOT THIS NODE"), "{}", booted.log);
}
