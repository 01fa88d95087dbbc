//! Modules and kernel parameters of a Kubernetes node: in the OS's own files, which its service manager applies before it
//! starts the first service. Loading modules here would only delay that: it is most of what a kernel does at boot.

use std::fmt::Write;

use dayfly_plan::{KernelNeeds, SysctlPlan};

use super::cgroup;
use crate::Failure;
use crate::context::{Context, Done};
use crate::os::WRITTEN;
use crate::services::Manager;
use crate::steps::node::sysctls;

/// modules-load.d(5).
const MODULES: &str = "/etc/modules-load.d/dayfly-kubernetes.conf";
/// Before the settings' own, which are in zz-dayfly.conf, and behind the image's.
const SYSCTLS: &str = "/etc/sysctl.d/90-dayfly-kubernetes.conf";
/// openrc(8) reads it behind /etc/rc.conf.
const OPENRC: &str = "/etc/rc.conf.d/dayfly.conf";

/// Leaves it to the OS, but for the parameters that can be set now, and says what this kernel lacks. What is missing is no
/// reason not to start the node: its programs may do without.
pub fn prepare(cx: &Context, needs: &KernelNeeds) -> Result<Done, Failure> {
    let mut troubles = write(cx, needs);
    troubles.extend(needs.modules.iter().filter_map(|name| find(cx, name).err()));
    // Those of bridges come with br_netfilter, and are what we want by default.
    let now: Vec<SysctlPlan> =
        needs.sysctls.iter().filter(|sysctl| !sysctl.name.starts_with("net.bridge.")).cloned().collect();
    troubles.extend(sysctls::set_each(cx, &now));
    troubles.extend(cgroup::check(cx, needs.cgroup_v1.as_deref()).err());
    let detail =
        format!("{} modules, {} kernel parameters, cgroup v2", needs.modules.len(), needs.sysctls.len());
    sysctls::end(cx, troubles, detail)
}

/// Fails where the OS could not load it.
fn find(cx: &Context, name: &str) -> Result<(), Failure> {
    let tried = format!("look for the module {name} in the image");
    sysctls::unless_here(cx, name, tried, || cx.modules.of_os().has(name))
}

fn write(cx: &Context, needs: &KernelNeeds) -> Vec<Failure> {
    let mut troubles = sysctls::written(cx, MODULES, &format!("{WRITTEN}{}\n", needs.modules.join("\n")));
    let mut text = WRITTEN.to_owned();
    for sysctl in &needs.sysctls {
        // Writing to a String cannot fail. The sign is for what a kernel lacks, which was said before.
        let _ = writeln!(text, "-{} = {}", sysctl.name, sysctl.value);
    }
    troubles.extend(sysctls::written(cx, SYSCTLS, &text));
    if cx.known.init.as_ref().is_some_and(|init| init.manager == Some(Manager::OpenRc)) {
        // Debian's OpenRC mounts version 1 beside version 2, and a kubelet wants version 2 alone, as systemd has it.
        let text = format!("{WRITTEN}rc_cgroup_mode=\"unified\"\n");
        troubles.extend(sysctls::written(cx, OPENRC, &text));
    }
    troubles
}
