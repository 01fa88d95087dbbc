//! The demonstration of a cluster: a control plane, and two nodes that boot from the network and join by themselves.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    command::{call, output, say},
    image::{Image, Images},
    kernel::Kernel,
    kubernetes::{ControlPlane, NodeStatus, Parts, SERVER_URL, Validity},
    lan::{Lan, address},
    netboot::BootServer,
    product::Product,
    server::HOST_FROM_GUEST,
    vm::{Builder, Vm, console_parameters},
};

/// The nodes, by their ports in the network.
const NODES: [usize; 2] = [1, 2];
/// A node's RAM in MiB.
const MEMORY: u32 = 2048;
/// Free RAM in MiB that the whole needs: two nodes and the control plane, with something to spare.
const NEEDED: u64 = 5120;
/// How long the nodes may take until they are ready; on two idle cores without KVM it is a bit more than a minute.
const READY: Duration = Duration::from_secs(600);
/// How long a pod may take to run on a node that is ready.
const RUNNING: Duration = Duration::from_secs(300);

/// Builds what is needed, starts the cluster, resets a node, and reports each step. Then opens a shell for kubectl if requested.
pub fn run(interactive: bool) -> Result<()> {
    say(
        "demo: two nodes and a control plane. It needs 5 GiB of free RAM (a measured run used 3.1 GiB) and, for parts that are",
    );
    say(
        "demo: built once, 8 GB of disk and about eleven minutes of CPU for Kubernetes and three for the image; after that, about",
    );
    say("demo: four minutes on two cores without KVM");
    let free = free_memory()?;
    ensure!(free >= NEEDED, "demo: only {free} MiB of RAM are free, and {NEEDED} MiB are needed");
    let site = Site::build()?;
    Lan::apart(|lan| site.run(lan, interactive))
}

/// The parts that must be built first, because the cluster's network has no way out.
struct Site {
    parts: Parts,
    product: Product,
    files: [(&'static str, std::path::PathBuf); 3],
    dayfly: std::path::PathBuf,
    parameters: &'static str,
}

impl Site {
    fn build() -> Result<Self> {
        let (kernel, product) = (Kernel::of_host()?, Product::of_checkout()?);
        let parts = Parts::build()?;
        let image = Images::open()?.get(Image::Kubernetes)?;
        let initramfs = product.initramfs("demo", &product.init("")?, &kernel, &[])?;
        Ok(Self {
            files: [("vmlinuz", kernel.image), ("initramfs.img", initramfs), ("os.squashfs", image)],
            dayfly: product.dayfly()?,
            parameters: console_parameters()?,
            parts,
            product,
        })
    }

    fn run(&self, lan: &mut Lan, interactive: bool) -> Result<()> {
        let started = Instant::now();
        let logs = self.product.folder("logs/cluster")?;
        let server =
            BootServer::start_at(&self.dayfly, &logs.join("http.log"), HOST_FROM_GUEST, HOST_FROM_GUEST)?;
        for (name, path) in &self.files {
            server.add(name, path)?;
        }
        let words =
            format!("{} dayfly.kubelet.enabled=yes dayfly.kubelet.server={SERVER_URL}", self.parameters);
        let script = server.write_script(&words)?;
        lan.serve_dhcp(&logs.join("dnsmasq.log"), &[&format!("--dhcp-boot={script}")])?;
        say(&format!("demo: DHCP and {script} are served; logs are in {}", logs.display()));
        let cluster = ControlPlane::start(&self.parts, lan, &logs)?;
        let secrets = tempfile::tempdir().context("cannot make a temporary folder")?;
        let token = secrets.path().join("token");
        fs::write(&token, cluster.token(Validity::Hour)?.to_string())?;

        let mut nodes = Vec::new();
        for port in NODES {
            let node =
                Builder::new(&name(port)).memory(MEMORY).nic(lan.plug(port)?).netboot(&script).reboots();
            // The machine's owner passes secrets through its firmware; the boot server knows no secret.
            let node = node.credential("dayfly.kubelet.ca", &cluster.ca());
            let node = node.credential("dayfly.kubelet.token", &token);
            nodes.push(node.log(logs.join(format!("{}.log", name(port)))).start()?);
        }
        say("demo: both nodes are powered on; their firmware asks DHCP, and iPXE loads the rest");
        let first: Vec<NodeStatus> = NODES
            .iter()
            .zip(&nodes)
            .map(|(port, vm)| wait_ready(&cluster, &name(*port), vm, None))
            .collect::<Result<_>>()?;
        print!("{}", cluster.kubectl(&["get", "nodes", "-o", "wide"])?);

        for (port, status) in NODES.iter().zip(&first) {
            let mut pod = ControlPlane::greeter(&pod(*port));
            pod["spec"]["nodeName"] = name(*port).into();
            cluster.apply(&pod)?;
            let cidr =
                status.object["spec"]["podCIDR"].as_str().context("the node has no addresses for pods")?;
            call("network", "ip", &["route", "add", cidr, "via", &address(*port)])?;
        }
        let greeted: Vec<String> = NODES
            .iter()
            .map(|port| cluster.wait_running(&pod(*port), None, RUNNING))
            .collect::<Result<_>>()?;
        print!("{}", cluster.kubectl(&["get", "pods", "-o", "wide"])?);
        for port in NODES {
            say(&format!("demo: the pod on {} answers: {}", name(port), greeting(&cluster, &pod(port))?));
        }

        say(&format!(
            "demo: now {} is reset, as by its reset button; it keeps no state and joins again by itself",
            name(NODES[0])
        ));
        let reset = Instant::now();
        nodes[0].qmp("system_reset", &serde_json::json!({}))?;
        let back = wait_ready(&cluster, &name(NODES[0]), &nodes[0], Some(&first[0].boot_id))?;
        ensure!(back.uid == first[0].uid, "the node came back as another one");
        cluster.wait_running(&pod(NODES[0]), Some(&greeted[0]), RUNNING)?;
        print!("{}", cluster.kubectl(&["get", "nodes,pods"])?);
        say(&format!(
            "demo: {} is back {:.0} s after the reset, as the same Node, and its pod answers: {}",
            name(NODES[0]),
            reset.elapsed().as_secs_f32(),
            greeting(&cluster, &pod(NODES[0]))?
        ));
        say(&format!("demo: all of it took {:.0} s", started.elapsed().as_secs_f32()));
        if interactive { shell(&cluster, &self.parts) } else { Ok(()) }
    }
}

fn name(port: usize) -> String {
    format!("node{port}")
}

fn pod(port: usize) -> String {
    format!("greeter{port}")
}

/// Waits until the node is ready in a boot other than `after`, and reports its progress meanwhile.
fn wait_ready(cluster: &ControlPlane, name: &str, vm: &Vm, after: Option<&str>) -> Result<NodeStatus> {
    let (started, from) = (Instant::now(), after.map_or(0, |_| vm.console().len()));
    let mut shown = "";
    let status = cluster.wait(&format!("node {name} to be ready"), READY, || {
        ensure!(!vm.has_ended(), "its machine ended");
        let now = stage(vm.console().get(from..).unwrap_or_default());
        if now != shown {
            say(&format!("demo: {:4.0} s  {name}: {now}", started.elapsed().as_secs_f32()));
            shown = now;
        }
        let node = cluster.node(name)?;
        Ok(node.filter(|node| node.is_ready && Some(node.boot_id.as_str()) != after))
    })?;
    say(&format!("demo: {:4.0} s  {name}: Ready", started.elapsed().as_secs_f32()));
    Ok(status)
}

/// The node's progress, from its console.
fn stage(console: &str) -> &'static str {
    const STAGES: [(&str, &str); 4] = [
        ("DAYFLY-TEST READY", "its services are up; the kubelet joins"),
        ("dayfly: exec", "the OS starts"),
        ("dayfly: ", "Dayfly boots"),
        ("iPXE", "iPXE loads kernel and initramfs"),
    ];
    STAGES.iter().find(|(mark, _)| console.contains(mark)).map_or("firmware", |(_, stage)| stage)
}

/// The pod's answer over the pod network.
fn greeting(cluster: &ControlPlane, pod: &str) -> Result<String> {
    let address = cluster.kubectl(&["get", "pod", pod, "-o", "jsonpath={.status.podIP}"])?;
    let url = format!("http://{address}:8080/");
    let curl =
        ["--silent", "--show-error", "--fail", "--retry", "5", "--retry-connrefused", "--max-time", "60"];
    Ok(output(Command::new("curl").args(curl).arg(url), b"")?.trim().to_owned())
}

/// The memory that programs can still get, in MiB.
fn free_memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).context("no MemAvailable")?;
    let kibibytes: u64 =
        line.trim().trim_end_matches(" kB").parse().context("MemAvailable is not a number")?;
    Ok(kibibytes >> 10)
}

/// A shell in the cluster's network, with kubectl.
fn shell(cluster: &ControlPlane, parts: &Parts) -> Result<()> {
    let bin = tempfile::tempdir().context("cannot make a temporary folder")?;
    symlink(parts.kubeall(), bin.path().join("kubectl"))?;
    say(
        "demo: this shell has kubectl. `kubectl get nodes`, `kubectl logs greeter1`, `kubectl exec greeter1 -- /pod say hello`;",
    );
    say("demo: exit from it to end everything");
    let path = std::env::var("PATH").unwrap_or_default();
    let shell = std::env::var("SHELL").ok().filter(|shell| Path::new(shell).exists());
    Command::new(shell.as_deref().unwrap_or("/bin/sh"))
        .env("PATH", format!("{}:{path}", bin.path().display()))
        .env("KUBECONFIG", cluster.admin())
        .status()
        .context("cannot start a shell")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_stage_counts() {
        assert_eq!(stage("SeaBIOS"), "firmware");
        assert_eq!(stage("SeaBIOS\niPXE 1.0"), "iPXE loads kernel and initramfs");
        assert_eq!(stage("iPXE\n[ 1.0] dayfly: network: done"), "Dayfly boots");
        assert!(stage("iPXE\ndayfly: x\nDAYFLY-TEST READY uptime=1").starts_with("its services are up"));
    }
}
