//! How a node with a kubelet is prepared, on the fake machine.

mod machine;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use machine::{End, Machine, Node, sha256, squashfs};

const CA: &str = include_str!("../wire/src/x509/ca.pem");
const OTHER: &str = include_str!("../wire/src/x509/ca-other.pem");
const CERTIFICATE: &str = include_str!("../wire/src/x509/node.pem");
const PKI: &str = "/run/dayfly/l/var/lib/kubelet/pki";

/// Boots the fake's worker7 with these settings in its image, and with the certificate of an earlier boot.
fn boot(settings: &str, prepare: impl FnOnce(&mut machine::State)) -> Arc<Machine> {
    let cmdline = format!(
        "root=live:http://10.0.2.2/os.squashfs ip=dhcp dayfly.kubelet.enabled dayfly.image.sha256={}",
        sha256(&squashfs(3 << 20))
    );
    let (machine, ends) = Machine::new(&cmdline, 1);
    {
        let mut state = machine.state();
        let mut file = |path: &str, node: Node| drop(state.nodes.insert(PathBuf::from(path), node));
        let text = format!("version = 1\n{settings}");
        file("/run/dayfly/l/usr/lib/dayfly/settings.toml", Node::File(text.into_bytes()));
        for folder in ["/run/dayfly/l/var/lib/kubelet", PKI] {
            file(folder, Node::Dir);
        }
        file(&format!("{PKI}/kubelet-client-1.pem"), Node::File(CERTIFICATE.as_bytes().to_vec()));
        let target = PathBuf::from("/var/lib/kubelet/pki/kubelet-client-1.pem");
        file(&format!("{PKI}/kubelet-client-current.pem"), Node::Symlink(target));
        prepare(&mut state);
    }
    let end = machine.boot(&ends, Duration::from_secs(20));
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
    machine
}

fn file(machine: &Machine, path: &str) -> Option<String> {
    match machine.state().nodes.get(Path::new(path)) {
        Some(Node::File(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

fn step(machine: &Machine) -> serde_json::Value {
    let report = machine.report();
    report["steps"].as_array().unwrap().iter().find(|step| step["step"] == "kubelet").unwrap().clone()
}

fn server(ca: &str) -> String {
    format!("[kubelet]\nserver = 'https://10.0.0.1:6443'\nca = '''\n{ca}'''\n")
}

#[test]
fn a_good_certificate_is_enough_to_come_back() {
    let machine = boot(&server(CA), |_| {});
    assert_eq!(step(&machine)["outcome"], "done", "{:?}", machine.state().log);
    let unit = file(&machine, "/sysroot/etc/systemd/system/kubelet.service").unwrap();
    let command = "ExecStart=/usr/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.conf --config=/etc/kubernetes/kubelet.yaml\n";
    assert!(unit.contains(command), "{unit}");
    let kubeconfig: serde_json::Value =
        serde_json::from_str(&file(&machine, "/sysroot/etc/kubernetes/kubelet.conf").unwrap()).unwrap();
    assert_eq!(kubeconfig["clusters"][0]["cluster"]["server"], "https://10.0.0.1:6443");
    let current = "/var/lib/kubelet/pki/kubelet-client-current.pem";
    assert_eq!(kubeconfig["users"][0]["user"]["client-certificate"], current);
    assert_eq!(file(&machine, "/sysroot/etc/kubernetes/pki/ca.crt").unwrap().trim(), CA.trim());
    let config: serde_json::Value =
        serde_json::from_str(&file(&machine, "/sysroot/etc/kubernetes/kubelet.yaml").unwrap()).unwrap();
    assert_eq!(config["clusterDNS"], serde_json::json!(["10.96.0.10"]));
    assert_eq!(config["cgroupDriver"], "cgroupfs", "nothing says that containerd makes slices");
    assert!(
        file(&machine, "/sysroot/etc/sysctl.d/90-dayfly-kubernetes.conf").unwrap().contains("ip_forward = 1")
    );
    assert!(file(&machine, "/sysroot/etc/rc.conf.d/dayfly.conf").is_none());
}

#[test]
fn a_certificate_of_another_cluster_is_of_no_use() {
    let machine = boot(&server(OTHER), |_| {});
    let step = step(&machine);
    assert_eq!(
        (&step["outcome"], &step["failure"]["code"]),
        (&"tolerated".into(), &"kubernetes.credentials".into()),
        "{step}"
    );
    assert_eq!(file(&machine, "/sysroot/etc/systemd/system/kubelet.service"), None);
    assert!(machine.state().log.iter().any(|(_, line)| line.contains("another CA than the cluster's")));
    // Nothing could get a new one: it stays.
    assert!(file(&machine, "/sysroot/var/lib/kubelet/pki/kubelet-client-1.pem").is_some());
}

#[test]
fn containers_need_a_real_file_system() {
    let machine = boot(&server(CA), |state| {
        let mounts = "overlay /sysroot overlay rw 0 0\n".to_owned();
        state.put(Path::new("/proc/mounts"), Node::File(mounts.into_bytes()));
    });
    assert_eq!(step(&machine)["failure"]["code"], "kubernetes.storage");
    assert_eq!(file(&machine, "/sysroot/etc/systemd/system/kubelet.service"), None);
}

#[test]
fn a_drop_in_that_replaces_the_command_is_masked() {
    let folder = "/run/dayfly/l/usr/lib/systemd/system/kubelet.service.d";
    let machine = boot("", |state| {
        for (name, text) in [
            ("10-kubeadm.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet $KUBELET_ARGS\n"),
            ("20-limits.conf", "[Service]\nLimitNOFILE=1\n"),
        ] {
            state.put(&Path::new(folder).join(name), Node::File(text.as_bytes().to_vec()));
        }
    });
    let masked = |name: &str| {
        let path = Path::new("/sysroot/etc/systemd/system/kubelet.service.d").join(name);
        machine.state().nodes.get(&path).cloned()
    };
    assert_eq!(masked("10-kubeadm.conf"), Some(Node::Symlink(PathBuf::from("/dev/null"))));
    assert_eq!(masked("20-limits.conf"), None);
    let unit = file(&machine, "/sysroot/etc/systemd/system/kubelet.service").unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/kubelet\n"), "{unit}");
}
