//! k0s with a stand-in for its program, which reports how it was started: the service manager starts the service that Dayfly wrote.
//! The stand-in is no k0s and joins nothing.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use dayfly_qemu::{
    image::{self, Image, STATE_LABEL},
    vm::{Drive, Vm},
};

use crate::{
    Scenario,
    lab::{Lab, Site, boot, ready},
    same,
    sources::nobody_finds,
};

pub const SCENARIOS: &[Scenario] =
    &[("k0s_worker_systemd", worker_by_systemd), ("k0s_single_openrc", single_by_openrc)];

const TOKEN: &str = include_str!("../../../init/tests/tokens/worker");
const NAME: &str = "k0s-node";
/// Reports its arguments, mode and contents of its token's file, and k0s's part of its environment.
pub const STAND_IN: &str = include_str!("k0s-stand-in");

fn worker_by_systemd(lab: &Lab) -> Result<()> {
    let settings = format!("role = \"worker\"\ntoken = \"{}\"\nargs = \"--labels=a=b c\"\n", TOKEN.trim());
    over_a_reboot(lab, Image::Server, &settings, |vm| {
        same!(vm.check("systemctl is-active k0sworker")?, "active");
        same!(vm.check("systemctl is-enabled k0sworker")?, "enabled");
        let said = "word worker\n\
             word --kubelet-extra-args=--volume-plugin-dir=/var/lib/k0s/kubelet-plugins/volume/exec\n\
             word --token-file=/run/dayfly/secrets/k0s-token\ntoken 600 root\n";
        same!(vm.check("cat /run/k0s-said")?, format!("{said}{}\nword --labels=a=b c", TOKEN.trim()));
        // In the first transaction: its job is older than the end of the start.
        let order = "systemctl show -P InactiveExitTimestampMonotonic k0sworker; systemctl show -P ActiveEnterTimestampMonotonic multi-user.target";
        let times: Vec<u64> = vm.check(order)?.lines().filter_map(|line| line.parse().ok()).collect();
        ensure!(matches!(times[..], [one, two] if 0 < one && one <= two), "it was started later: {times:?}");
        same!(vm.check("systemd-analyze verify k0sworker.service 2>&1 | grep -e k0sworker || true")?, "");
        vm.check("rm /run/k0s-said")?;
        nobody_finds(vm, TOKEN.trim(), NAME)
    })
}

fn single_by_openrc(lab: &Lab) -> Result<()> {
    let settings = "role = \"single\"\nconfig = \"spec: {}\\n\"\n";
    over_a_reboot(lab, Image::OpenRc, settings, |vm| {
        same!(vm.check("rc-service k0scontroller status | grep -c started")?, "1");
        same!(vm.check("rc-update show default | grep -c k0scontroller")?, "1");
        let said = "word controller\nword --config=/etc/k0s/k0s.yaml\n\
             word --kubelet-extra-args=--volume-plugin-dir=/var/lib/k0s/kubelet-plugins/volume/exec\nword --single=true";
        same!(vm.check("cat /run/k0s-said")?, said);
        same!(vm.check("cat /etc/k0s/k0s.yaml; stat -c %a /etc/k0s/k0s.yaml")?, "spec: {}\n600");
        let users = "for name in etcd konnectivity-server kube-apiserver kube-scheduler; do id $name; done";
        same!(
            vm.check(users)?,
            "uid=60701(etcd) gid=60701(etcd) groups=60701(etcd)\n\
             uid=60702(konnectivity-server) gid=60702(konnectivity-server) groups=60702(konnectivity-server)\n\
             uid=60703(kube-apiserver) gid=60703(kube-apiserver) groups=60703(kube-apiserver)\n\
             uid=60704(kube-scheduler) gid=60704(kube-scheduler) groups=60704(kube-scheduler)"
        );
        same!(vm.check("pwck -rq 2>&1 | grep -e 6070 || true")?, "", "complaints about the users");
        Ok(())
    })
}

/// Boots a node with a state disk, and its settings on a separate disk, twice.
fn over_a_reboot(lab: &Lab, image: Image, k0s: &str, check: impl Fn(&Vm) -> Result<()>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (state, disk, file) = (
        folder.path().join("state.ext4"),
        folder.path().join("config.vfat"),
        folder.path().join("dayfly.toml"),
    );
    image::ext4(&state, STATE_LABEL, 256)?;
    let settings = format!(
        "version = 1\nhostname = \"{NAME}\"\n[k0s]\n{k0s}[file.\"/usr/local/bin/k0s\"]\nmode = \"0755\"\ncontent = '''\n{STAND_IN}'''\n"
    );
    fs::write(&file, settings)?;
    image::vfat_with(&disk, "CONFIG", &[("dayfly.toml", Path::new(&file))])?;
    let site = Site::start(image)?;
    let node = lab.node()?.drive(Drive::read_write(&state)).drive(Drive::snapshot(&disk)).reboots();
    let node = node.cmdline(&site.parameters()).explain(&["--config", &file.to_string_lossy()]);
    let vm = boot(node)?;
    check(&vm)?;
    vm.run_unattended("reboot")?;
    ready(&vm)?;
    check(&vm)
}
