//! Nodes that join a real cluster with a real kubelet, and rejoin it. Each scenario has its own control plane and network. No image, no
//! disk and no boot server knows the node or holds a secret.
//!
//! They need the Kubernetes parts, so they run only on request: `tests/run kubernetes`.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use dayfly_qemu::{
    image::{self, Image, STATE_LABEL},
    kubernetes::{ControlPlane, NodeStatus, Parts, SERVER_URL, Token, Validity},
    lan::Lan,
    vm::{Builder, Drive, Ending, Vm},
};
use tempfile::TempDir;

use crate::{
    Scenario,
    lab::{Lab, boot, dayfly, image_path, initramfs, ready, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[
    ("kubernetes_joins", joins),
    ("kubernetes_rejoins", rejoins),
    ("kubernetes_another_ca", another_ca),
    ("kubernetes_expired_token", expired_token),
    ("kubernetes_server_is_down", server_is_down),
];

/// The name that DHCP gives the node.
const NODE: &str = "node1";
/// The pod in these tests.
const POD: &str = "greeter";
/// How long a booted node may take to be ready: fifteen seconds on a quiet host without KVM.
const JOIN: Duration = Duration::from_secs(300);
/// How long a pod may take to run on it; it takes as long.
const RUN: Duration = Duration::from_secs(300);

/// A cluster and its network, and the parts of its one node.
struct Cluster<'a> {
    lab: &'a Lab,
    lan: &'a mut Lan,
    plane: ControlPlane,
    image: PathBuf,
    initramfs: PathBuf,
    files: TempDir,
}

/// Runs a scenario with a new cluster.
fn in_cluster(lab: &Lab, scenario: fn(&mut Cluster<'_>) -> Result<()>) -> Result<()> {
    // Download and build everything first: the cluster's network has no way out.
    let (parts, image, initramfs) = (Parts::build()?, image_path(Image::Kubernetes)?, initramfs()?.clone());
    dayfly()?;
    let logs = lab.log()?.with_extension("cluster");
    Lan::apart(|lan| {
        let plane = ControlPlane::start(&parts, lan, &logs)?;
        lan.serve_dhcp(&logs.join("dnsmasq.log"), &[])?;
        let files = tempfile::tempdir()?;
        scenario(&mut Cluster { lab, lan, plane, image, initramfs, files })
    })
}

impl Cluster<'_> {
    /// A node that may join with this token. The image stays on its disk, so that the kubelet has the node's memory.
    fn node(&mut self, token: &Token) -> Result<Builder> {
        let (file, ca) = (self.files.path().join("token"), self.files.path().join("ca.pem"));
        fs::write(&file, token.to_string())?;
        fs::copy(self.plane.ca(), &ca)?;
        let node = self.lab.bare_node(&self.initramfs)?.memory(2048).nic(self.lan.plug(1)?);
        let node = node.drive(Drive::read_only(&self.image)).cmdline(&format!(
            "root=live:/dev/vda ip=dhcp rd.neednet=1 dayfly.kubelet.enabled=yes dayfly.kubelet.server={SERVER_URL} \
             dayfly.kubelet.labels=role=test"
        ));
        Ok(node.credential("dayfly.kubelet.ca", &ca).credential("dayfly.kubelet.token", &file))
    }

    /// An empty disk for the node's state.
    fn blank_state(&self) -> Result<PathBuf> {
        let path = self.files.path().join("state.ext4");
        image::ext4(&path, STATE_LABEL, 1024)?;
        Ok(path)
    }

    fn wait_ready(&self, after: Option<&NodeStatus>) -> Result<NodeStatus> {
        self.plane.wait_ready(NODE, after.map(|status| status.boot_id.as_str()), JOIN)
    }

    /// Creates the pod, waits until it runs, and returns its start time.
    fn run_pod(&self) -> Result<String> {
        // The controllers create it soon after the cluster's start.
        self.plane.wait("the default service account", JOIN, || {
            self.plane.kubectl(&["get", "serviceaccount", "default"]).map(Some)
        })?;
        self.plane.apply(&ControlPlane::greeter(POD))?;
        self.plane.wait_running(POD, None, RUN)
    }

    /// The number of certificate requests so far.
    fn requests(&self) -> Result<usize> {
        Ok(self.plane.kubectl(&["get", "csr", "-o", "name"])?.lines().count())
    }
}

fn joins(lab: &Lab) -> Result<()> {
    in_cluster(lab, |cluster| {
        let token = cluster.plane.token(Validity::Hour)?;
        let vm = boot(cluster.node(&token)?)?;
        same!(step(&vm.boot_json()?, "kubelet")?["outcome"], "done");
        let node = cluster.wait_ready(None)?;
        same!(node.object["metadata"]["labels"]["role"], "test");
        same!(node.object["status"]["addresses"][0]["address"], dayfly_qemu::lan::address(1));
        same!(node.object["status"]["nodeInfo"]["machineID"], vm.check("cat /etc/machine-id")?);
        // Started in systemd's first transaction, and at the first try.
        same!(vm.check("systemctl show -p NRestarts --value kubelet")?, "0");
        same!(vm.check("systemctl is-system-running --wait")?, "running");

        cluster.run_pod()?;
        let logs = cluster.plane.wait("the pod's log", RUN, || {
            Ok(Some(cluster.plane.kubectl(&["logs", POD])?).filter(|text| !text.is_empty()))
        })?;
        same!(logs, "hello from greeter\n");
        let said = cluster.plane.kubectl(&["exec", POD, "--", "/pod", "say", "it", "works"])?;
        same!(said, "[it works]\n");

        no_secret_shows(&vm, &token)
    })
}

/// The token's secret part is in no file that other users can read, in no log, and not on the console.
fn no_secret_shows(vm: &Vm, token: &Token) -> Result<()> {
    let secret = &token.secret;
    ensure!(!vm.console().contains(secret), "the token is on the console");
    // The search scripts must not match themselves: the secret comes in two pieces.
    let (head, tail) = secret.split_at(8);
    let readable = vm.check(&format!(
        "s={head}; s=${{s}}{tail}; grep -rlsF -- $s /etc /run /var /home /root /opt /proc/cmdline --exclude-dir=proc | \
         while read -r f; do stat -c '%a %U %n' -- $f; done"
    ))?;
    for file in readable.lines() {
        ensure!(file.starts_with("600 root ") || file.starts_with("400 root "), "the token is in: {file}");
    }
    let logged =
        vm.run(&format!("s={head}; s=${{s}}{tail}; journalctl --boot --no-pager | grep -cF -- $s"))?;
    same!(logged.text.trim(), "0", "lines of the journal with the token");
    ensure!(!vm.boot_json()?.to_string().contains(secret), "the token is in boot.json");
    Ok(())
}

fn rejoins(lab: &Lab) -> Result<()> {
    in_cluster(lab, |cluster| {
        let token = cluster.plane.token(Validity::Hour)?;
        let state = cluster.blank_state()?;
        let node = cluster.node(&token)?;
        let vm = boot(node.drive(Drive::read_write(&state)).reboots())?;
        let first = cluster.wait_ready(None)?;
        let started = cluster.run_pod()?;
        let requests = cluster.requests()?;

        // With a persistent /var: the same certificate.
        vm.run_unattended("systemctl reboot")?;
        ready(&vm)?;
        let second = cluster.wait_ready(Some(&first))?;
        same!(second.uid, first.uid, "the Node's uid after a reboot");
        same!(cluster.requests()?, requests, "certificates asked for, after a reboot that kept them");
        let again = cluster.plane.wait_running(POD, Some(&started), RUN)?;
        drop(vm);

        // With an empty /var: another certificate for the same Node, without help.
        let state = cluster.blank_state()?;
        let vm = boot(cluster.node(&token)?.drive(Drive::read_write(&state)))?;
        let third = cluster.wait_ready(Some(&second))?;
        same!(third.uid, first.uid, "the Node's uid after its state was lost");
        same!(cluster.requests()?, requests + 1, "certificates asked for, after they were lost");
        cluster.plane.wait_running(POD, Some(&again), RUN)?;
        drop(vm);
        Ok(())
    })
}

/// A new cluster runs at the same address, and the node's state is of the old one. A kubelet by itself never notices.
fn another_ca(lab: &Lab) -> Result<()> {
    in_cluster(lab, |cluster| {
        let token = cluster.plane.token(Validity::Hour)?;
        let state = cluster.blank_state()?;
        let mut vm = boot(cluster.node(&token)?.drive(Drive::read_write(&state)))?;
        let old = cluster.wait_ready(None)?;
        vm.run_unattended("systemctl poweroff")?;
        same!(vm.wait_end(Duration::from_secs(120))?, Ending::PowerOff);

        cluster.plane.found_anew()?;
        let token = cluster.plane.token(Validity::Hour)?;
        let vm = boot(cluster.node(&token)?.drive(Drive::read_write(&state)))?;
        let new = cluster.wait_ready(Some(&old))?;
        ensure!(new.uid != old.uid, "the new cluster knows the old one's node");
        same!(cluster.requests()?, 1, "certificates asked for in the new cluster");
        let report = vm.boot_json()?;
        let kubelet = step(&report, "kubelet")?;
        same!(kubelet["outcome"], "done");
        // The log has the reason why its certificate was dropped.
        let log = vm.check("cat /run/dayfly/boot.log")?;
        ensure!(log.contains("it was not signed by the cluster's CA"), "the reason is not in the log: {log}");
        Ok(())
    })
}

/// The node boots, reports why it cannot join, and joins with a valid token, without any cleanup.
fn expired_token(lab: &Lab) -> Result<()> {
    in_cluster(lab, |cluster| {
        let over = cluster.plane.token(Validity::Over)?;
        let state = cluster.blank_state()?;
        let mut vm = boot(cluster.node(&over)?.drive(Drive::read_write(&state)))?;
        let refused =
            "until journalctl --boot --unit kubelet --no-pager | grep -m1 Unauthorized; do sleep 1; done";
        let words = vm.check(refused)?;
        eprintln!("    {}: {words}", cluster.lab.name());
        ensure!(words.contains("Unauthorized"), "the kubelet does not log the refusal");
        ensure!(cluster.plane.node(NODE)?.is_none(), "the node has joined with an expired token");
        vm.run_unattended("systemctl poweroff")?;
        same!(vm.wait_end(Duration::from_secs(120))?, Ending::PowerOff);

        let token = cluster.plane.token(Validity::Hour)?;
        let _vm = boot(cluster.node(&token)?.drive(Drive::read_write(&state)))?;
        cluster.wait_ready(None)?;
        Ok(())
    })
}

fn server_is_down(lab: &Lab) -> Result<()> {
    in_cluster(lab, |cluster| {
        let token = cluster.plane.token(Validity::Hour)?;
        let node = cluster.node(&token)?;
        cluster.plane.stop_api();
        let started = Instant::now();
        let vm = boot(node)?;
        std::thread::sleep(Duration::from_secs(60).saturating_sub(started.elapsed()));
        cluster.plane.start_api()?;
        cluster.wait_ready(None)?;
        same!(step(&vm.boot_json()?, "kubelet")?["outcome"], "done");
        Ok(())
    })
}
