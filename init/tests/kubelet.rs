//! The preparation of a node with a kubelet, on the fake machine.

mod machine;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use machine::{Machine, Node, State};

const CA: &str = include_str!("../formats/src/x509/ca.pem");
const OTHER: &str = include_str!("../formats/src/x509/ca-other.pem");
const CERTIFICATE: &str = include_str!("../formats/src/x509/node.pem");
const PKI: &str = "/run/dayfly/l/var/lib/kubelet/pki";

/// Boots the fake's worker7 with these settings in its image, and the certificate of an earlier boot.
fn boot(settings: &str, prepare: impl FnOnce(&mut machine::State)) -> Arc<Machine> {
    Machine::boot_to_the_os("dayfly.kubelet.enabled", |state| {
        let mut file = |path: &str, node: Node| drop(state.nodes.insert(PathBuf::from(path), node));
        let text = format!("version = 1\n{settings}");
        file("/run/dayfly/l/usr/lib/dayfly/settings.toml", Node::File(text.into_bytes()));
        for folder in ["/run/dayfly/l/var/lib/kubelet", PKI] {
            file(folder, Node::Dir);
        }
        file(&format!("{PKI}/kubelet-client-1.pem"), Node::File(CERTIFICATE.as_bytes().to_vec()));
        let target = PathBuf::from("/var/lib/kubelet/pki/kubelet-client-1.pem");
        file(&format!("{PKI}/kubelet-client-current.pem"), Node::Symlink(target));
        prepare(state);
    })
}

fn server(ca: &str) -> String {
    format!("[kubelet]\nserver = 'https://10.0.0.1:6443'\nca = '''\n{ca}'''\n")
}

#[test]
fn a_good_certificate_is_enough_to_come_back() {
    let machine = boot(&server(CA), |_| {});
    assert_eq!(machine.step("kubelet")["outcome"], "done", "{:?}", machine.state().log);
    let unit = machine.file("/sysroot/etc/systemd/system/kubelet.service").unwrap();
    let command = "ExecStart=/usr/bin/kubelet --hostname-override=worker7 --kubeconfig=/etc/kubernetes/kubelet.conf --config=/etc/kubernetes/kubelet.yaml\n";
    assert!(unit.contains(command), "{unit}");
    let kubeconfig: serde_json::Value =
        serde_json::from_str(&machine.file("/sysroot/etc/kubernetes/kubelet.conf").unwrap()).unwrap();
    assert_eq!(kubeconfig["clusters"][0]["cluster"]["server"], "https://10.0.0.1:6443");
    let current = "/var/lib/kubelet/pki/kubelet-client-current.pem";
    assert_eq!(kubeconfig["users"][0]["user"]["client-certificate"], current);
    assert_eq!(machine.file("/sysroot/etc/kubernetes/pki/ca.crt").unwrap().trim(), CA.trim());
    let config: serde_json::Value =
        serde_json::from_str(&machine.file("/sysroot/etc/kubernetes/kubelet.yaml").unwrap()).unwrap();
    assert_eq!(config["clusterDNS"], serde_json::json!(["10.96.0.10"]));
    assert_eq!(
        config["cgroupDriver"], "cgroupfs",
        "containerd is not configured to use the systemd cgroup driver"
    );
    assert!(machine.file("/sysroot/etc/rc.conf.d/dayfly.conf").is_none());
}

#[test]
fn a_certificate_of_another_cluster_is_of_no_use() {
    let machine = boot(&server(OTHER), |_| {});
    let step = machine.step("kubelet");
    assert_eq!(
        (&step["outcome"], &step["failure"]["code"]),
        (&"tolerated".into(), &"kubernetes.credentials".into()),
        "{step}"
    );
    assert_eq!(machine.file("/sysroot/etc/systemd/system/kubelet.service"), None);
    assert!(machine.state().log.iter().any(|(_, line)| line.contains("not signed by the cluster's CA")));
    // It stays, because there is no way to get a new one.
    assert!(machine.file("/sysroot/var/lib/kubelet/pki/kubelet-client-1.pem").is_some());
}

#[test]
fn containers_need_a_real_file_system() {
    // An xfs without file types in directories: version 4 with other feature bits.
    let mut xfs = vec![0; 512];
    xfs[..4].copy_from_slice(b"XFSB");
    xfs[100..102].copy_from_slice(&0xB4A4_u16.to_be_bytes());
    for (mounts, wrong) in [
        ("overlay /sysroot overlay rw 0 0\n", "/var/lib/kubelet is on overlay"),
        ("srv:/var /sysroot/var nfs4 rw 0 0\n", "/var/lib/kubelet is on nfs4"),
        ("/dev/vdb /sysroot/var ext4 ro,relatime 0 0\n", "/dev/vdb, which is mounted read-only"),
        ("/dev/vdb /sysroot/var xfs rw 0 0\n", "the xfs of /dev/vdb, which was created with ftype=0"),
        (
            "/dev/vdb /sysroot/var ext4 rw 0 0\noverlay /sysroot/var/lib/containerd overlay rw 0 0\n",
            "/var/lib/containerd is on overlay",
        ),
    ] {
        let machine = boot(&server(CA), |state| {
            state.put(Path::new("/proc/mounts"), Node::File(mounts.into()));
            state.put(Path::new("/dev/vdb"), Node::Block);
            state.disks.insert(PathBuf::from("/dev/vdb"), xfs.clone());
        });
        let failure = &machine.step("kubelet")["failure"];
        assert_eq!(failure["code"], "kubernetes.storage", "{mounts}");
        assert!(failure["wrong"].as_str().unwrap().contains(wrong), "{failure}");
        assert_eq!(machine.file("/sysroot/etc/systemd/system/kubelet.service"), None);
    }
}

#[test]
fn the_kernel_is_prepared_before_the_os_starts() {
    let machine = boot(&format!("sysctl.'vm.panic_on_oom' = '1'\n{}", server(CA)), |_| {});
    let kernel = machine.step("kernel");
    assert_eq!(kernel["outcome"], "done", "{kernel}");
    let value = |name: &str| machine.file(&format!("/proc/sys/{name}"));
    assert_eq!(value("net/ipv4/ip_forward").as_deref(), Some("1\n"));
    // This sysctl appears with a module, which the OS loads before it sets the sysctl.
    assert_eq!(value("net/bridge/bridge-nf-call-iptables"), None);
    assert_eq!(value("vm/panic_on_oom").as_deref(), Some("1\n"), "the settings take precedence");
    let again = machine.file("/sysroot/etc/sysctl.d/90-dayfly-kubernetes.conf").unwrap();
    assert!(
        again.contains("\n-net.bridge.bridge-nf-call-iptables = 1\n") && !again.contains("panic_on_oom"),
        "{again}"
    );
    let modules = machine.file("/sysroot/etc/modules-load.d/dayfly-kubernetes.conf").unwrap();
    assert!(modules.ends_with("\noverlay\nbr_netfilter\nnf_conntrack\n"), "{modules}");
    let state = machine.state();
    assert!(!state.is_mounted(Path::new("/sys/fs/cgroup")), "the OS mounts it with its own options");
}

#[test]
fn an_image_for_another_kernel_is_told_of() {
    let machine = boot(&server(CA), |state| {
        state.put(Path::new("/proc/sys/kernel/osrelease"), Node::File(b"6.9.0-other\n".to_vec()));
    });
    let kernel = machine.step("kernel");
    assert_eq!(kernel["failure"]["code"], "node.module", "{kernel}");
    let wrong = kernel["failure"]["wrong"].as_str().unwrap();
    assert!(wrong.contains("no modules for the running kernel, 6.9.0-other"), "{kernel}");
    assert_eq!(machine.step("kubelet")["outcome"], "done");
}

/// A change that removes something from the machine.
type Lack<'a> = &'a dyn Fn(&mut State);

#[test]
fn a_kernel_without_what_pods_need_is_told_of() {
    let controllers = |state: &mut State| {
        let controllers = Node::File(b"cpuset cpu io pids\n".to_vec());
        state.put(Path::new("/sys/fs/cgroup/cgroup.controllers"), controllers);
    };
    let cmdline = |state: &mut State| {
        let Some(Node::File(cmdline)) = state.nodes.get_mut(Path::new("/proc/cmdline")) else { panic!() };
        cmdline.extend(b" systemd.unified_cgroup_hierarchy=no");
    };
    let lacks: [(Lack<'_>, &str); 2] = [
        (&controllers, "no controller memory"),
        (&cmdline, "systemd.unified_cgroup_hierarchy=no makes systemd use version 1"),
    ];
    for (lack, said) in lacks {
        let machine = boot(&server(CA), |state| lack(state));
        let kernel = machine.step("kernel");
        let told = (&kernel["outcome"], &kernel["failure"]["code"]);
        assert_eq!(told, (&"tolerated".into(), &"kubernetes.cgroup".into()), "{kernel}");
        assert!(kernel["failure"]["wrong"].as_str().unwrap().contains(said), "{kernel}");
        // The kubelet may not need it; otherwise it reports it.
        assert_eq!(machine.step("kubelet")["outcome"], "done");
    }
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
    let unit = machine.file("/sysroot/etc/systemd/system/kubelet.service").unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/kubelet --hostname-override=worker7\n"), "{unit}");
}
