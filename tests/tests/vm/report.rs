//! The reports of a node about its boots: to a server, and in its /var/log.

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{
    image::{self, Image, STATE_LABEL},
    vm::Drive,
};
use serde_json::Value;

use crate::{
    Scenario,
    lab::{Lab, Site, boot, fails, ready, step},
    same,
};

pub const SCENARIOS: &[Scenario] =
    &[("boots_are_reported", boots_are_reported), ("a_failed_boot_is_reported", a_failed_boot_is_reported)];

fn reports(site: &Site) -> Result<Vec<Value>> {
    let read = |body: Vec<u8>| serde_json::from_slice(&body).context("a report is not JSON");
    site.server.reports()?.into_iter().map(read).collect()
}

fn boots_are_reported(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state.ext4");
    image::ext4(&state, STATE_LABEL, 512)?;
    let site = Site::start(Image::Small)?;
    let node = lab.node()?.drive(Drive::read_write(&state)).cmdline(&site.parameters()).reboots();
    let to = format!("dayfly.report={} dayfly.hostname=worker9", site.server.guest_url("report"));
    let vm = boot(node.cmdline(&to))?;
    let own = vm.boot_json()?;
    same!(step(&own, "report")?["outcome"], "done");
    let sent = reports(&site)?;
    same!(sent.len(), 1, "reports");
    same!(sent[0]["outcome"], "handover");
    same!(sent[0]["node"]["hostname"], "worker9");
    same!(
        sent[0]["node"]["boot_id"].as_str().unwrap_or(""),
        vm.check("cat /proc/sys/kernel/random/boot_id")?
    );
    same!(sent[0]["plan"], own["plan"]);
    same!(vm.check("cd /var/log/dayfly && echo *")?, "000001.json 000001.log");
    vm.check("sed -i s/handover/OLD-ONE/ /var/log/dayfly/000001.json && sync")?;
    vm.run_unattended("reboot")?;
    ready(&vm)?;
    same!(reports(&site)?.len(), 2, "reports after the reboot");
    same!(
        vm.check("cd /var/log/dayfly && echo *.json && grep -l OLD-ONE *.json")?,
        "000001.json 000002.json\n000001.json"
    );
    Ok(())
}

fn a_failed_boot_is_reported(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Small)?;
    let url = site.server.guest_url("missing.squashfs");
    let words =
        format!("root=live:{url} ip=dhcp rd.retry=2 dayfly.report={}", site.server.guest_url("report"));
    let console = fails(lab.node()?.cmdline(&words), "image.http-status")?;
    ensure!(console.contains("the failure was recorded"), "the console does not say that it was reported");
    let sent = reports(&site)?;
    same!(sent.len(), 1, "reports");
    same!(sent[0]["outcome"], "failed");
    same!(sent[0]["failure"]["code"], "image.http-status");
    same!(
        sent[0]["node"]["mac"].as_str().map(str::len),
        Some(17),
        "the MAC address of a node without a name"
    );
    Ok(())
}
