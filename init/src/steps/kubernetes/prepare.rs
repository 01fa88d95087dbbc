//! Modules and sysctls of a Kubernetes node. They are written to the OS's own files, and its service manager applies
//! them before it starts the first service. Loading the modules here would only delay that, because it takes most of
//! the kernel's time at boot.

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
/// Ordered after the image's files, and before the settings' own sysctls in zz-dayfly.conf, which override it.
const SYSCTLS: &str = "/etc/sysctl.d/90-dayfly-kubernetes.conf";
/// openrc(8) reads it after /etc/rc.conf.
const OPENRC: &str = "/etc/rc.conf.d/dayfly.conf";

/// Writes the files for the OS, sets the sysctls that exist already, and logs what this kernel lacks. A missing module
/// does not stop the boot, because the node's programs may not need it.
pub fn prepare(cx: &Context, needs: &KernelNeeds) -> Result<Done, Failure> {
    let mut troubles = write(cx, needs);
    troubles.extend(needs.modules.iter().filter_map(|name| find(cx, name).err()));
    // The bridge sysctls appear when br_netfilter is loaded, and their defaults are the wanted values.
    let now: Vec<SysctlPlan> =
        needs.sysctls.iter().filter(|sysctl| !sysctl.name.starts_with("net.bridge.")).cloned().collect();
    troubles.extend(sysctls::set_each(cx, &now));
    troubles.extend(cgroup::check(cx, needs.cgroup_v1.as_deref()).err());
    let detail =
        format!("{} modules, {} kernel parameters, cgroup v2", needs.modules.len(), needs.sysctls.len());
    sysctls::end(cx, troubles, detail)
}

/// Fails if the OS could not load it.
fn find(cx: &Context, name: &str) -> Result<(), Failure> {
    let tried = format!("look for the module {name} in the image");
    sysctls::unless_here(cx, name, tried, || cx.modules.of_os().has(name))
}

fn write(cx: &Context, needs: &KernelNeeds) -> Vec<Failure> {
    let mut troubles = sysctls::written(cx, MODULES, &format!("{WRITTEN}{}\n", needs.modules.join("\n")));
    let mut text = WRITTEN.to_owned();
    for sysctl in &needs.sysctls {
        // Writing to a String cannot fail. The `-` makes the OS ignore a missing sysctl, which was logged already.
        let _ = writeln!(text, "-{} = {}", sysctl.name, sysctl.value);
    }
    troubles.extend(sysctls::written(cx, SYSCTLS, &text));
    if cx.known.init.as_ref().is_some_and(|init| init.manager == Some(Manager::OpenRc)) {
        // Debian's OpenRC mounts version 1 as well as version 2, but a kubelet needs version 2 alone.
        let text = format!("{WRITTEN}rc_cgroup_mode=\"unified\"\n");
        troubles.extend(sysctls::written(cx, OPENRC, &text));
    }
    troubles
}
