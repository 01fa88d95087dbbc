//! A real k0s of the user, named by `K0S_BIN`. No package has k0s, so this runs only on request: `tests/run k0s`.
//!
//! The node is a cluster by itself and reaches no registry, so no containers run in it. It is Ready all the same, because that needs only
//! the kubelet, containerd and the control plane, which are all in the one program.

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use dayfly_qemu::{
    image::{self, STATE_LABEL},
    kubernetes::NodeStatus,
    vm::{Drive, Vm},
};
use serde_json::Value;

use crate::{
    Scenario,
    lab::{Lab, image_with_k0s, step},
    same,
};

pub const ON_DEMAND: &[Scenario] = &[("k0s_bin_is_ready_twice", ready_twice)];

const NAME: &str = "k0s-node";
/// How many minutes a node may take from power-on to Ready, unless `K0S_MINUTES` is set. Without KVM everything takes ten times as long.
const MINUTES: u64 = 45;
/// A k0s that ends this often, ten seconds apart, has a permanent error.
const RESTARTS: u32 = 6;
/// Without a network add-on of the cluster, containerd waits for such a file (CNI, network configuration lists).
const SETTINGS: &str = r#"version = 1
hostname = "k0s-node"

[k0s]
role = "single"
args = ["--disable-components=coredns,konnectivity-server,kube-proxy,metrics-server,network-provider"]
config = """
apiVersion: k0s.k0sproject.io/v1beta1
kind: ClusterConfig
metadata:
  name: k0s
spec:
  images:
    default_pull_policy: Never
  network:
    provider: custom
  telemetry:
    enabled: false
"""

[file."/etc/cni/net.d/10-none.conflist"]
content = '{"cniVersion":"1.0.0","name":"none","plugins":[{"type":"loopback"}]}'
"#;

fn ready_twice(lab: &Lab) -> Result<()> {
    let program = env::var_os("K0S_BIN").map(PathBuf::from).context("K0S_BIN names no k0s")?;
    let minutes = match env::var("K0S_MINUTES") {
        Ok(minutes) => minutes.parse().context("K0S_MINUTES is not a number")?,
        Err(_) => MINUTES,
    };
    let limit = Duration::from_secs(minutes * 60);
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let (state, config, settings) = (file("state.ext4"), file("config.vfat"), file("dayfly.toml"));
    // k0s unpacks itself into /var, and requires 15 % of it free.
    image::ext4(&state, STATE_LABEL, 8192)?;
    fs::write(&settings, SETTINGS)?;
    image::vfat_with(&config, "CONFIG", &[("dayfly.toml", Path::new(&settings))])?;
    let image = image_with_k0s(&program)?;

    // The image stays on its disk, so that k0s has the node's memory.
    let node = lab.node()?.memory(3072).cpus(2).cmdline("root=live:/dev/vda ip=dhcp rd.neednet=1");
    let node =
        node.drive(Drive::read_only(&image)).drive(Drive::read_write(&state)).drive(Drive::snapshot(&config));
    let vm = node.reboots().explain(&["--config", &settings.to_string_lossy()]).start()?;
    let first = starts(lab, &vm, limit)?;
    vm.run_unattended("systemctl reboot")?;
    let second = starts(lab, &vm, limit)?;
    same!(second.uid, first.uid, "the Node's uid after a reboot that kept /var");
    ensure!(second.boot_id != first.boot_id, "the node has not booted again");
    Ok(())
}

/// Boots to a Node that is ready.
fn starts(lab: &Lab, vm: &Vm, limit: Duration) -> Result<NodeStatus> {
    let end = Instant::now() + limit;
    let services = vm.wait_ready(limit)?;
    same!(services.failed, "none", "failed services");
    same!(step(&vm.boot_json()?, "k0s")?["outcome"], "done");
    same!(vm.check("systemctl is-enabled k0scontroller")?, "enabled");
    let boot_id = vm.check("cat /proc/sys/kernel/random/boot_id")?;
    let node = loop {
        let found = ask(vm, "kubectl get nodes -o json").and_then(|nodes| ready_node(&nodes, &boot_id));
        let why = match found {
            Ok(node) => break node,
            Err(error) => format!("{error:#}"),
        };
        let restarts: u32 = vm.check("systemctl show -P NRestarts k0scontroller")?.parse()?;
        if Instant::now() > end || restarts >= RESTARTS || vm.has_ended() {
            // Messages at level info fill the log, and the reason is before the last start.
            let log = vm.check(
                "journalctl -b -o short-monotonic --no-pager -u k0scontroller | grep -v level=info | cut -c -400 | tail -n 40",
            )?;
            bail!(
                "the node is not ready: {why}; k0s was restarted {restarts} times. Its log without level info:\n{log}"
            );
        }
        sleep(Duration::from_secs(5));
    };
    same!(node.object["metadata"]["name"], NAME);
    same!(node.object["status"]["nodeInfo"]["machineID"], vm.check("cat /etc/machine-id")?);
    let status = ask(vm, "status -o json")?;
    let role = (&status["Role"], &status["SingleNode"], &status["Workloads"]);
    ensure!(
        *role.0 == "controller" && *role.1 == true && *role.2 == true,
        "k0s status does not say that it is a cluster of one node: {status}"
    );
    eprintln!("==> {}: k0s {} is ready", lab.name(), status["Version"]);
    Ok(node)
}

/// k0s's answer, which is JSON; its messages go to another file.
fn ask(vm: &Vm, words: &str) -> Result<Value> {
    let answer = vm.check(&format!(
        "timeout 60 k0s {words} 2>/run/k0s-words || {{ tail -n 3 /run/k0s-words; exit 1; }}"
    ))?;
    serde_json::from_str(&answer).with_context(|| format!("k0s {words} answers no JSON: {answer}"))
}

/// The only Node, if it is ready by this boot's kubelet: the previous boot's state stays Ready for a while.
fn ready_node(nodes: &Value, boot_id: &str) -> Result<NodeStatus> {
    let items = nodes["items"].as_array().context("there is no list of nodes")?;
    let [node] = items.as_slice() else { bail!("there are {} nodes", items.len()) };
    let node = NodeStatus::of(node);
    ensure!(node.boot_id == boot_id, "the kubelet has not reported from this boot");
    ensure!(node.is_ready, "its kubelet does not say Ready: {}", node.object["status"]["conditions"]);
    Ok(node)
}
