//! A node's own settings, from a settings disk into the OS: files, users, kernel parameters, units, host keys.

use std::fs;

use anyhow::{Result, ensure};
use dayfly_qemu::{
    image::{self, Image, STATE_LABEL},
    vm::Drive,
};

use crate::{
    Scenario,
    lab::{Lab, Site, boot, ready, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("node_is_as_its_settings_say", node_is_as_its_settings_say)];

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHd3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3 me";
/// The hash is of no password.
const SETTINGS: &str = r#"version = 1
os.modules = ["br_netfilter", "dummy"]

[file."/etc/app/app.conf"]
content = "one\ntwo\n"
mode = "0640"
owner = "www-data:games"

[file."/etc/app/token"]
secret = "SESAME-OPEN"

[file."/run/app/start"]
content = "in the run folder"

[user.root]
authorized_keys = ["KEY"]
password_hash = "$6$dayfly$SESAMESESAMESESAME"

[user.backup]
authorized_keys = ["KEY"]

[sysctl]
"net.bridge.bridge-nf-call-iptables" = 1
"kernel.panic" = 7

[unit."thing.service"]
content = """
[Unit]
Description=A thing
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'cat /run/app/start >/run/thing'
[Install]
WantedBy=multi-user.target
"""
enable = true

[unit."cron.service"]
enable = false
"#;

fn node_is_as_its_settings_say(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (state, config, text) =
        (folder.path().join("state"), folder.path().join("config"), folder.path().join("dayfly.toml"));
    image::ext4(&state, STATE_LABEL, 512)?;
    fs::write(&text, SETTINGS.replace("KEY", KEY))?;
    image::ext4_with(&config, "config", &[("dayfly.toml", &text)])?;
    let site = Site::start(Image::Server)?;
    let node = lab.node()?.drive(Drive::read_write(&state)).drive(Drive::read_only(&config)).reboots();
    let node = node.cmdline(&site.parameters()).explain(&["--config", &text.to_string_lossy()]);
    let vm = boot(node)?;

    let report = vm.boot_json()?;
    for name in ["os-modules", "sysctls", "files", "users", "units", "host-keys"] {
        same!(step(&report, name)?["outcome"], "done", "{name}: {}", step(&report, name)?);
    }
    same!(vm.check("systemctl is-system-running --wait")?, "running");
    same!(vm.check("cat /etc/app/app.conf")?, "one\ntwo");
    let stat = "stat -c '%a %U:%G' /etc/app/app.conf /etc/app/token /root/.ssh /root/.ssh/authorized_keys \
                /etc/shadow ~backup/.ssh ~backup/.ssh/authorized_keys";
    let expected = "640 www-data:games\n600 root:root\n700 root:root\n600 root:root\n640 root:shadow\n\
                    700 backup:backup\n600 backup:backup";
    same!(vm.check(stat)?, expected);
    same!(vm.check("cat /etc/app/token")?, "SESAME-OPEN");
    same!(vm.check("grep -c SESAME /etc/shadow")?, "1");
    same!(vm.check("grep -v ^# /root/.ssh/authorized_keys")?, KEY);
    // Set before the OS ran, and set again by the OS.
    same!(vm.check("cat /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/kernel/panic")?, "1\n7");
    vm.check("grep -q '^br_netfilter ' /proc/modules && grep -q '^dummy ' /proc/modules")?;
    same!(vm.check("systemctl is-active systemd-sysctl systemd-modules-load | sort -u")?, "active");
    same!(vm.check("systemctl is-active thing; cat /run/thing")?, "active\nin the run folder");
    same!(vm.run("systemctl is-active cron")?.text, "inactive\n");
    same!(vm.run("systemctl is-enabled thing cron")?.text, "enabled\ndisabled\n");
    // The secret is in no file that other users can read, and in no log.
    let told = "grep -rIlsE 'SESAME-OPEN|SESAMESESAME' /run /etc /var /proc/cmdline /root | while read -r f; do stat -c '%a %n' $f; done | \
                grep -v '^[0-7]*0 '; journalctl -q | grep -c SESAME; dmesg | grep -c SESAME";
    same!(vm.run(told)?.text, "0\n0\n");
    same!(
        vm.check("grep -rlF SESAME-OPEN /etc")?,
        "/etc/app/token",
        "the search does not find the known copy"
    );
    ensure!(!vm.console().contains("SESAME"), "the secret is on the console");

    // sshd has the keys of the disk, at this boot and at the next.
    let shown = "ssh-keyscan -t ed25519,ecdsa 127.0.0.1 2>/dev/null | cut -d' ' -f2- | sort";
    let keys = vm.check(shown)?;
    same!(keys.lines().count(), 2, "host keys: {keys}");
    same!(vm.check("cat /run/dayfly/state/.dayfly/ssh/*.pub | cut -d' ' -f1,2 | sort")?, keys);
    same!(vm.check("stat -c %a /run/dayfly/state/.dayfly /etc/ssh/ssh_host_ed25519_key")?, "700\n600");
    vm.run_unattended("systemctl reboot")?;
    ready(&vm)?;
    same!(vm.check(shown)?, keys, "host keys after the reboot");
    let detail = step(&vm.boot_json()?, "host-keys")?["detail"].to_string();
    ensure!(detail.contains("from the state disk"), "{detail}");
    Ok(())
}
