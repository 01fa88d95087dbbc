//! A separate network for nodes and their servers: a network namespace with a bridge, a DHCP and DNS server, and a port per machine.
//!
//! It is invisible from outside and cannot reach the outside, so ports and addresses are free to choose. It belongs to one thread:
//! everything that this thread starts (QEMU, nginx, a control plane, curl) is in the network. Download and build everything before.
//!
//! The servers have the same address as on QEMU's user network, so URLs are the same in both.

use std::{collections::BTreeSet, fs, marker::PhantomData, path::Path};

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

use crate::{command::call, daemon::Daemon, server::HOST_FROM_GUEST, vm::Nic};

/// How many machines have a port.
const PORTS: usize = 9;
const BRIDGE: &str = "lan";

/// The network of the current thread.
pub struct Lan {
    dnsmasq: Option<Daemon>,
    ports: BTreeSet<usize>,
    dir: TempDir,
    // Other threads are in other namespaces.
    _of_this_thread: PhantomData<*const ()>,
}

impl Lan {
    /// Runs `inside` on a thread with a separate network, which ends with the thread.
    pub fn apart<T: Send>(inside: impl FnOnce(&mut Lan) -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| inside(&mut Lan::new()?));
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn new() -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET).context("cannot make a network namespace: this needs root")?;
        ip(&["link", "set", "lo", "up"])?;
        ip(&["link", "add", BRIDGE, "type", "bridge"])?;
        ip(&["address", "add", &format!("{HOST_FROM_GUEST}/24"), "dev", BRIDGE])?;
        ip(&["link", "set", BRIDGE, "up"])?;
        let dir = tempfile::Builder::new()
            .prefix("dayfly-lan.")
            .tempdir()
            .context("cannot make a temporary folder")?;
        Ok(Self { dnsmasq: None, ports: BTreeSet::new(), dir, _of_this_thread: PhantomData })
    }

    /// Starts dnsmasq: the machine at port n gets [`address`]`(n)` and the name `node<n>`. `more` are more of its options.
    pub fn serve_dhcp(&mut self, log: &Path, more: &[&str]) -> Result<()> {
        // Tests that count messages need only those of this server.
        fs::write(log, "").with_context(|| format!("cannot empty {}", log.display()))?;
        let leases = self.dir.path().join("leases");
        let mut arguments: Vec<String> = [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--user=root",
            "--log-facility=-",
            "--log-dhcp",
            "--no-resolv",
            "--no-hosts",
            "--bind-interfaces",
            "--except-interface=lo",
            "--dhcp-authoritative",
            "--domain=lab.test",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("--interface={BRIDGE}"));
        arguments.push(format!("--dhcp-leasefile={}", leases.display()));
        // By default all networks of this machine would share one PID file.
        arguments.push(format!("--pid-file={}", self.dir.path().join("dnsmasq.pid").display()));
        arguments.push(format!("--dhcp-range={},static", address(1)));
        arguments.extend(
            (1..=PORTS).map(|port| format!("--dhcp-host={},{},node{port}", mac(port), address(port))),
        );
        arguments.extend(more.iter().map(|&option| option.to_owned()));
        self.dnsmasq = Some(Daemon::start("dnsmasq", Path::new("/usr/sbin/dnsmasq"), &arguments, log)?);
        Ok(())
    }

    /// The leases that dnsmasq has given, in the format of its file (dnsmasq(8), `--dhcp-leasefile`).
    pub fn leases(&self) -> Result<String> {
        let file = self.dir.path().join("leases");
        std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    /// The network card of the machine at port n, 1 to 9.
    pub fn plug(&mut self, port: usize) -> Result<Nic> {
        let tap = format!("port{port}");
        if self.ports.insert(port) {
            ip(&["tuntap", "add", &tap, "mode", "tap"]).context("a port needs /dev/net/tun")?;
            ip(&["link", "set", &tap, "master", BRIDGE, "up"])?;
        }
        Ok(Nic::tap(&tap).mac(&mac(port)))
    }
}

/// The address of the machine at port n.
pub fn address(port: usize) -> String {
    format!("10.0.2.{}", 10 + port)
}

fn mac(port: usize) -> String {
    format!("52:54:00:77:00:{port:02x}")
}

fn ip(arguments: &[&str]) -> Result<()> {
    call("network", "ip", arguments).map(|_| ())
}
