//! Modules and kernel parameters of a Kubernetes node: there when the service manager starts, not only when its own services
//! have seen to them.

use std::fmt::Write;

use dayfly_plan::{Code, KernelNeeds};
use dayfly_sys::{Sys, SysError};

use super::cgroup;
use crate::Failure;
use crate::context::{Context, Done};
use crate::os::{self, WRITTEN};
use crate::services::Manager;
use crate::steps::sysctls;

/// modules-load.d(5).
const MODULES: &str = "/etc/modules-load.d/dayfly-kubernetes.conf";
/// Before the settings' own, which are in zz-dayfly.conf, and behind the image's.
const SYSCTLS: &str = "/etc/sysctl.d/90-dayfly-kubernetes.conf";
/// openrc(8) reads it behind /etc/rc.conf.
const OPENRC: &str = "/etc/rc.conf.d/dayfly.conf";

/// Does what can be done now, has the OS see to it again, and says what this kernel lacks. What is missing is no reason not
/// to start the node: its programs may do without.
pub fn prepare<S: Sys>(cx: &Context<S>, needs: &KernelNeeds) -> Result<Done, Failure> {
    write(cx, needs).map_err(|error| {
        Failure::from_sys(Code::NodeWrite, "have the OS prepare the kernel for pods", &error)
    })?;
    let mut troubles = sysctls::load_each(cx, &needs.modules);
    troubles.extend(sysctls::set_each(cx, &needs.sysctls));
    troubles.extend(cgroup::check(cx).err());
    let detail =
        format!("{} modules, {} kernel parameters, cgroup v2", needs.modules.len(), needs.sysctls.len());
    sysctls::end(cx, troubles, detail)
}

fn write<S: Sys>(cx: &Context<S>, needs: &KernelNeeds) -> Result<(), SysError> {
    let put = |path: &str, text: &str| cx.sys.write(&os::place(&*cx.sys, path)?, text.as_bytes(), 0o644);
    put(MODULES, &format!("{WRITTEN}{}\n", needs.modules.join("\n")))?;
    let mut text = WRITTEN.to_owned();
    for sysctl in &needs.sysctls {
        // Writing to a String cannot fail. The sign is for what a kernel lacks, which was said before.
        let _ = writeln!(text, "-{} = {}", sysctl.name, sysctl.value);
    }
    put(SYSCTLS, &text)?;
    if cx.known.init.as_ref().is_some_and(|init| init.manager == Some(Manager::OpenRc)) {
        // Debian's OpenRC mounts version 1 beside version 2, and a kubelet wants version 2 alone, as systemd has it.
        put(OPENRC, &format!("{WRITTEN}rc_cgroup_mode=\"unified\"\n"))?;
    }
    Ok(())
}
