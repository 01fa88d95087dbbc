//! Makes a Debian tree a Kubernetes node without configuration: a real kubelet, containerd, the pods' images.

use std::{fs, os::unix::fs::PermissionsExt};

use anyhow::Context;

use super::addition::{Addition, unit, write};
use crate::kubernetes::{self, Parts};

const CONTAINERD: &str = include_str!("../../recipe/containerd.toml");
const POD_NETWORK: &str = include_str!("../../recipe/pods.conflist.template");
const POD_IMAGES: &str = include_str!("../../recipe/pod-images.service");
/// Files of Debian's packages that this node never runs, removed because the image is in memory.
const UNUSED: [&str; 14] = [
    "bin/containerd-shim",
    "bin/containerd-shim-runc-v1",
    "lib/cni/bandwidth",
    "lib/cni/dhcp",
    "lib/cni/firewall",
    "lib/cni/host-device",
    "lib/cni/ipvlan",
    "lib/cni/macvlan",
    "lib/cni/ptp",
    "lib/cni/sbr",
    "lib/cni/static",
    "lib/cni/tuning",
    "lib/cni/vlan",
    "lib/cni/vrf",
];

/// No address, no name, no kubeconfig, no unit of the kubelet: the boot adds them.
pub(super) static KUBERNETES: Addition = Addition {
    inputs: &[
        include_str!("kubernetes.rs"),
        include_str!("../kubernetes/oci.rs"),
        CONTAINERD,
        POD_NETWORK,
        POD_IMAGES,
        kubernetes::SOURCES,
    ],
    apply: |tree, _| {
        let parts = Parts::build()?;
        let kubelet = tree.join("usr/bin/kubelet");
        fs::copy(parts.kubelet(), &kubelet).context("cannot copy the kubelet into the image")?;
        fs::set_permissions(&kubelet, fs::Permissions::from_mode(0o755))?;
        write(tree, "etc/containerd/config.toml", CONTAINERD, 0o644)?;
        write(tree, "etc/containerd/pods.conflist.template", POD_NETWORK, 0o644)?;
        let images = [("localhost/pause:1", "pause"), ("localhost/hello:1", "greet")];
        kubernetes::archive(&tree.join("usr/lib/dayfly-test/pods.tar"), &parts.pod(), &images)?;
        unit(tree, "pod-images.service", POD_IMAGES)?;
        for file in UNUSED {
            fs::remove_file(tree.join("usr").join(file))
                .with_context(|| format!("{file} is not in Debian's packages any more"))?;
        }
        Ok(())
    },
};
