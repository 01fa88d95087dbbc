//! Hosts in network namespaces, the switch between them, and the servers that every test needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::namespace::shell;

/// How long a server may take to start on a busy machine.
const START: Duration = Duration::from_secs(20);

/// Ends the server when the test ends, for whatever reason.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // By SIGTERM, since nginx's worker would stay otherwise. An error means that it has ended already.
        let _ =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0.id() as i32), nix::sys::signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// The folders of a test.
pub struct Site {
    /// Each host has a folder in it.
    pub scratch: PathBuf,
    /// The folder with the image.
    pub www: PathBuf,
}

/// A network namespace with servers, and their folder.
pub struct Host {
    pub name: String,
    pub folder: PathBuf,
}

impl Host {
    /// A host without an interface.
    pub fn new(site: &Site, name: &str) -> Self {
        let folder = site.scratch.join(name);
        fs::create_dir(&folder).unwrap();
        shell(&format!("ip netns add {name}"));
        let host = Self { name: name.to_owned(), folder };
        host.shell("ip link set lo up");
        host
    }

    /// Runs commands on it.
    pub fn shell(&self, script: &str) -> String {
        shell(&format!("cd /; exec ip netns exec {} sh -euc '{script}'", self.name))
    }

    /// Writes a file into its folder.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Starts a server and waits until its messages contain `ready`.
    pub fn start(&self, program: &str, args: &[String], ready: &[&str]) -> Server {
        let server = self.spawn(program, args);
        self.wait_until(program, || {
            let said = self.log(program);
            ready.iter().any(|words| said.contains(words))
        });
        server
    }

    fn spawn(&self, program: &str, args: &[String]) -> Server {
        let log = fs::File::create(self.log_of(program)).unwrap();
        let child = Command::new("ip")
            .args(["netns", "exec", &self.name, program])
            .args(args)
            // Kea's files of process ids and locks; other servers ignore the variables.
            .envs([("KEA_PIDFILE_DIR", &self.folder), ("KEA_LOCKFILE_DIR", &self.folder)])
            .stdout(Stdio::null())
            .stderr(Stdio::from(log))
            .spawn()
            .expect("ip(8) is installed");
        Server(child)
    }

    /// The messages of a server.
    pub fn log(&self, program: &str) -> String {
        fs::read_to_string(self.log_of(program)).unwrap()
    }

    fn log_of(&self, program: &str) -> PathBuf {
        let name = Path::new(program).file_name().unwrap();
        self.folder.join(name).with_extension("log")
    }

    fn wait_until(&self, program: &str, is_ready: impl Fn() -> bool) {
        let started = Instant::now();
        while !is_ready() {
            assert!(started.elapsed() < START, "{program} is not ready: {}", self.log(program));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// dnsmasq on the interface `lan`.
    pub fn dnsmasq(&self, options: &[String]) -> Server {
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
        let mut args: Vec<String> = fixed.iter().map(ToString::to_string).collect();
        args.extend_from_slice(options);
        args.push(format!("--dhcp-leasefile={}", self.folder.join("leases").display()));
        self.start("dnsmasq", &args, &["IP range", "router advertisement enabled", "DHCP relay"])
    }

    /// nginx with the image, at 10.9.9.9 and fd09:9::9 of this host.
    pub fn nginx(&self, www: &Path) -> Server {
        self.shell("ip address add 10.9.9.9/32 dev lo; ip address add fd09:9::9/128 dev lo");
        let config = format!(
            "user root; daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log; events {{}}
             http {{ access_log off; client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3;
               uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5; server {{ listen 80; listen [::]:80; root {1}; }} }}",
            self.folder.display(),
            www.display()
        );
        let server = self.spawn("nginx", &["-c".into(), self.write("nginx.conf", &config)]);
        // Port 80, listening.
        self.wait_until("nginx", || self.shell("cat /proc/net/tcp").contains(":0050 00000000:0000 0A"));
        server
    }
}

/// A switch: a bridge in a namespace of its own. What is plugged in has carrier at once.
pub struct Switch(Host);

impl Switch {
    /// A switch with a cable to the node's interface.
    pub fn of_node(site: &Site, interface: &str) -> Self {
        let switch = Self::new(site, &format!("switch-{interface}"));
        let name = &switch.0.name;
        shell(&format!(
            "ip link add {interface} address 02:00:00:00:00:01 type veth peer name node netns {name}"
        ));
        switch.0.shell("ip link set node master bridge0 up");
        switch
    }

    /// A switch without a cable.
    pub fn new(site: &Site, name: &str) -> Self {
        let host = Host::new(site, name);
        host.shell("ip link add name bridge0 type bridge; ip link set bridge0 up");
        Self(host)
    }

    /// A host that is plugged in by its interface `lan`, and forwards packets.
    pub fn host(&self, site: &Site, name: &str, addresses: &[&str]) -> Host {
        let host = Host::new(site, name);
        host.shell(
            "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; echo 1 > /proc/sys/net/ipv4/ip_forward
             echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad",
        );
        self.plug(&host, "lan", addresses);
        host
    }

    /// Plugs a host in by a new interface.
    pub fn plug(&self, host: &Host, interface: &str, addresses: &[&str]) {
        let (switch, port) = (&self.0.name, &host.name);
        shell(&format!("ip -n {port} link add {interface} type veth peer name to-{port} netns {switch}"));
        self.0.shell(&format!("ip link set to-{port} master bridge0 up"));
        host.shell(&format!("ip link set {interface} up"));
        for address in addresses {
            host.shell(&format!("ip address add {address} dev {interface}"));
        }
        host.shell(&format!(
            "for i in $(seq 200); do ip -6 address show dev {interface} scope link | grep -q fe80 && exit; sleep 0.05; done; exit 1"
        ));
    }
}
