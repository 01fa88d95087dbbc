//! A Debian server with systemd: its units find a node that is ready for them, at each boot.

use anyhow::Result;
use dayfly_qemu::{image::Image, vm::Vm};

use crate::{
    Scenario,
    kept::{self, Os},
    lab::Lab,
    same,
};

pub const SCENARIOS: &[Scenario] = &[("systemd_keeps_and_forgets", keeps_and_forgets)];

fn keeps_and_forgets(lab: &Lab) -> Result<()> {
    kept::over_a_reboot(lab, &Os { image: Image::Server, healthy, own: &[".updated"] })
}

fn healthy(vm: &Vm) -> Result<()> {
    same!(vm.check("cat /proc/1/comm")?, "systemd");
    same!(vm.check("systemctl is-system-running --wait")?, "running");
    same!(vm.check("systemctl --failed --no-legend --plain")?, "");
    same!(vm.check("systemctl is-active ssh cron systemd-networkd | sort -u")?, "active");
    // Not a first boot: systemd does not apply the presets again.
    same!(vm.run("systemctl is-active first-boot-complete.target")?.text, "inactive\n");
    let mounting = "journalctl -q -b -o cat -p warning -u systemd-remount-fs -u '*.mount' -u 'systemd-fsck*' \
                    -u systemd-fstab-generator -t systemd-fstab-generator";
    same!(vm.check(mounting)?, "", "complaints about mounts");
    same!(
        vm.check("journalctl -q -b -p err -o short | grep -v ' kernel: ' || true")?,
        "",
        "errors in the journal"
    );
    Ok(())
}
