//! A Debian with OpenRC and sysvinit: its services find a node that is ready for them, at each boot.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};
use dayfly_qemu::{
    image::{self, Image},
    server::HttpServer,
    vm::{Drive, Vm},
};

use crate::{
    Scenario,
    kept::{self, Os},
    lab::{BOOT, Lab, Site, boot, step},
    same,
    scripts::{Repository, git_trusts, wait_for},
    turns,
};

pub const SCENARIOS: &[Scenario] = &[
    ("openrc_keeps_and_forgets", keeps_and_forgets),
    ("openrc_single_user", single_user),
    ("openrc_node_is_as_its_settings_say", node_is_as_its_settings_say),
];

const SETTINGS: &str = r##"version = 1
os.modules = ["br_netfilter", "dummy"]

[file."/etc/app/app.conf"]
content = "one\ntwo\n"
mode = "0640"
owner = "www-data:games"

[file."/etc/app/token"]
secret = "SESAME-OPEN"

[file."/run/app/start"]
content = "in the run folder"

[user.backup]
authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHd3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3 me"]
password_hash = "$6$dayfly$SESAMESESAMESESAME"

[sysctl]
"net.bridge.bridge-nf-call-iptables" = 1
"kernel.panic" = 7

[file."/etc/init.d/thing"]
content = """#!/sbin/openrc-run
description="A thing"
start() {
	ebegin "Starting a thing"
	cp /run/app/start /run/thing
	eend $?
}
"""
mode = "0755"

[unit]
"thing.service".enable = true
"cron.service".enable = true
"ssh.service".enable = false

[script.node]
interval = 60
"##;

/// Dayfly's files for ifupdown and dhclient, so that they keep the boot's lease.
const ADDRESS: [&str; 3] = ["network/interfaces", "dhcp/dhclient.conf", "dhcp/dhclient-enter-hooks.d/dayfly"];

fn keeps_and_forgets(lab: &Lab) -> Result<()> {
    kept::over_a_reboot(lab, &Os { image: Image::OpenRc, healthy, own: &ADDRESS })
}

/// sysvinit gets `single` from its arguments alone: Dayfly must pass it on as the kernel would.
fn single_user(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::OpenRc)?;
    let vm = lab.node()?.cmdline(&site.parameters()).cmdline("single").start()?;
    vm.expect("(Give root password|Press Enter) for maintenance", BOOT)?;
    let console = vm.console();
    ensure!(!console.contains("Entering runlevel: 2"), "it entered the default runlevel");
    Ok(())
}

/// OpenRC has started all its services, and none reports a problem.
pub fn healthy(vm: &Vm) -> Result<()> {
    same!(vm.check("cat /proc/1/comm")?, "init");
    same!(vm.check("rc-status --runlevel")?, "default");
    same!(vm.check("ls /run/openrc/failed /run/openrc/inactive | grep -v :$ | grep . || true")?, "");
    same!(vm.run("rc-status --nocolor --crashed")?.text, "", "crashed services");
    let not_started =
        "rc-status --nocolor sysinit default | grep -v Runlevel: | grep -v '\\[  started  \\]' || true";
    same!(vm.check(not_started)?, "", "services that did not start");
    // Its services print to the console only. The output before the first one is the kernel's and Dayfly's, of this boot.
    let console = vm.console();
    let boot = console.rsplit("OpenRC 0.").next().unwrap_or_default();
    let is_complaint = |line: &str| {
        let line = line.to_lowercase();
        let words = ["warn", "error", "fail", "cannot", "can't", "invalid", "not found", "!!"];
        !line.starts_with("dayfly-test") && words.iter().any(|word| line.contains(word))
    };
    let complaints: Vec<&str> = boot.lines().filter(|line| is_complaint(line)).collect();
    ensure!(complaints.is_empty(), "services complain: {complaints:#?}");
    Ok(())
}

/// The settings file of the node with systemd, but with a script in place of the unit's text; and a Git script by cron.
fn node_is_as_its_settings_say(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, text) = (folder.path().join("config"), folder.path().join("dayfly.toml"));
    let site = Site::start(Image::OpenRc)?;
    let root = folder.path().join("served");
    fs::create_dir(&root)?;
    let server = HttpServer::start_tls(&root)?;
    let repository = Repository::create(&folder.path().join("open"), &root.join("open.git"))?;
    fs::write(&text, format!("{SETTINGS}{}", git_trusts(&server)?))?;
    image::ext4_with(&config, "config", &[("dayfly.toml", &text)])?;
    let node = lab.node()?.drive(Drive::read_only(&config)).cmdline(&site.parameters());
    let node = node.cmdline(&format!("my.git={}", server.guest_url("open.git")));
    let vm = boot(node.explain(&["--config", &text.to_string_lossy()]))?;

    let report = vm.boot_json()?;
    for name in ["os-modules", "sysctls", "files", "users", "units", "host-keys", "scripts"] {
        same!(step(&report, name)?["outcome"], "done", "{name}: {}", step(&report, name)?);
    }
    healthy(&vm)?;
    same!(vm.check("cat /etc/app/app.conf")?, "one\ntwo");
    let stat = "stat -c '%a %U:%G' /etc/app/app.conf /etc/app/token /etc/shadow ~backup/.ssh ~backup/.ssh/authorized_keys";
    let expected = "640 www-data:games\n600 root:root\n640 root:shadow\n700 backup:backup\n600 backup:backup";
    same!(vm.check(stat)?, expected);
    same!(vm.check("grep -c SESAME /etc/shadow")?, "1");
    same!(vm.check("cat /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/kernel/panic")?, "1\n7");
    vm.check("grep -q '^br_netfilter ' /proc/modules && grep -q '^dummy ' /proc/modules")?;
    same!(vm.check("rc-service --quiet thing status && cat /run/thing")?, "in the run folder");
    vm.check("rc-service --quiet cron status && pgrep -x cron")?;
    same!(vm.run("rc-status --all | grep -w ssh; pgrep -x sshd")?.text, "", "a disabled service");
    let told = "grep -rIlsE 'SESAME-OPEN|SESAMESESAME' /run /etc /var /proc/cmdline /root | while read -r f; do stat -c '%a %n' $f; done | \
                grep -v '^[0-7]*0 '; dmesg | grep -c SESAME";
    same!(vm.run(told)?.text, "0\n");
    same!(
        vm.check("grep -rlF SESAME-OPEN /etc")?,
        "/etc/app/token",
        "the search does not find the known copy"
    );
    ensure!(!vm.console().contains("SESAME"), "the secret is on the console");

    // Its result has this for a minute only: then cron's next run finds nothing new.
    wait_for_script(&vm, "first")?;
    same!(vm.check("cat /run/script-said")?, "first");
    repository.commit("second", false)?;
    // cron runs it once a minute.
    turns::pause(Duration::from_secs(60));
    wait_for_script(&vm, "second")?;
    wait_for(&vm, "node", "\"current\"")?;
    same!(vm.check("cat /run/script-said")?, "first\nsecond");
    Ok(())
}

fn wait_for_script(vm: &Vm, words: &str) -> Result<()> {
    let end = std::time::Instant::now() + crate::lab::BOOT;
    while !vm.run("cat /run/script-said")?.text.contains(words) {
        ensure!(std::time::Instant::now() < end, "the script of the commit {words} never ran");
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    Ok(())
}
