//! A Debian with OpenRC below sysvinit: its services find a node that is ready for them, boot after boot.

use anyhow::{Result, ensure};
use dayfly_qemu::{image::Image, vm::Vm};

use crate::{
    Scenario,
    kept::{self, Os},
    lab::Lab,
    same,
};

pub const SCENARIOS: &[Scenario] = &[("openrc_keeps_and_forgets", keeps_and_forgets)];

fn keeps_and_forgets(lab: &Lab) -> Result<()> {
    kept::over_a_reboot(lab, &Os { image: Image::OpenRc, healthy, own: &[] })
}

fn healthy(vm: &Vm) -> Result<()> {
    same!(vm.check("cat /proc/1/comm")?, "init");
    same!(vm.check("rc-status --runlevel")?, "default");
    same!(vm.check("ls /run/openrc/failed /run/openrc/inactive | grep -v :$ | grep . || true")?, "");
    same!(vm.run("rc-status --nocolor --crashed")?.text, "", "crashed services");
    let not_started =
        "rc-status --nocolor sysinit default | grep -v Runlevel: | grep -v '\\[  started  \\]' || true";
    same!(vm.check(not_started)?, "", "services that did not start");
    // Its services talk to the console alone. What comes before the first one is the kernel's and ours, of this boot.
    let console = vm.console();
    let boot = console.rsplit("OpenRC 0.").next().unwrap_or_default();
    let complains = |line: &str| {
        let line = line.to_lowercase();
        let words = ["warn", "error", "fail", "cannot", "can't", "invalid", "not found", "!!"];
        !line.starts_with("dayfly-test") && words.iter().any(|word| line.contains(word))
    };
    let complaints: Vec<&str> = boot.lines().filter(|line| complains(line)).collect();
    ensure!(complaints.is_empty(), "services complain: {complaints:#?}");
    Ok(())
}
