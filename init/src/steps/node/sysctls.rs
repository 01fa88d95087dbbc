//! Sets kernel modules and sysctls for the OS.

use std::fmt::Write;

use dayfly_plan::{Code, SysctlPlan};
use dayfly_sys::own;

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::os::{self, WRITTEN};

/// modules-load.d(5).
const MODULES: &str = "/etc/modules-load.d/dayfly.conf";
/// Ordered after all other files, because the last one takes precedence (sysctl.d(5)).
const SYSCTLS: &str = "/etc/sysctl.d/zz-dayfly.conf";

/// Loads modules of the image now, and configures the OS to load them as well.
pub fn load_modules(cx: &Context, names: &[String]) -> Result<Done, Failure> {
    let mut troubles = written(cx, MODULES, &format!("{WRITTEN}{}\n", names.join("\n")));
    let modules = cx.modules.of_os();
    for name in names {
        let tried = format!("load the module {name} of the image");
        troubles.extend(unless_here(cx, name, tried, || modules.load(name)).err());
    }
    end(cx, troubles, format!("{} modules", names.len()))
}

/// Sets them now, because the OS's own service may run late or not at all. Also configures the OS to set them, because
/// some appear only when the OS loads a module.
pub fn set(cx: &Context, sysctls: &[SysctlPlan]) -> Result<Done, Failure> {
    let mut text = WRITTEN.to_owned();
    for sysctl in sysctls {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} = {}", sysctl.name, sysctl.value);
    }
    let mut troubles = written(cx, SYSCTLS, &text);
    troubles.extend(set_each(cx, sysctls));
    end(cx, troubles, format!("{} set", sysctls.len()))
}

/// Writes the configuration for the OS. A failure does not affect what is set now.
pub fn written(cx: &Context, path: &str, text: &str) -> Vec<Failure> {
    let failed = |error| Failure::from_sys(Code::NodeWrite, format!("write {path}"), &error);
    os::write(&*cx.sys, path, text, 0o644).map_err(failed).err().into_iter().collect()
}

/// Sets each sysctl and returns the failures.
pub fn set_each(cx: &Context, sysctls: &[SysctlPlan]) -> Vec<Failure> {
    let mut troubles = Vec::new();
    for sysctl in sysctls {
        let file = own("/proc/sys").join(sysctl.file());
        if let Err(error) = cx.sys.write(&file, format!("{}\n", sysctl.value).as_bytes(), 0o644) {
            let tried = format!("set {} to {}", sysctl.name, sysctl.value);
            troubles.push(Failure::from_sys(Code::NodeSysctl, tried, &error));
        }
    }
    troubles
}

/// Calls a function for a module, unless it is loaded or built in.
pub fn unless_here(
    cx: &Context,
    name: &str,
    tried: String,
    act: impl FnOnce() -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let here = cx.sys.inspect(&own("/sys/module").join(name.replace('-', "_")));
    if matches!(here, Ok(Some(_))) {
        return Ok(());
    }
    let wrong = match act() {
        Ok(true) => return Ok(()),
        Ok(false) => "neither the image nor the kernel has it".to_owned(),
        Err(failure) => format!("{}: {}", failure.tried, failure.wrong),
    };
    Err(Failure::new(Code::NodeModule, tried, wrong))
}

/// Logs all failures. The step fails with the first one.
pub fn end(cx: &Context, troubles: Vec<Failure>, detail: String) -> Result<Done, Failure> {
    for trouble in troubles.iter().skip(1) {
        cx.note(Level::Warning, format!("{}: {}", trouble.tried, trouble.wrong));
    }
    troubles.into_iter().next().map_or_else(|| Ok(Done::with(detail)), Err)
}
