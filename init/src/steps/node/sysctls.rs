//! What of the kernel is set for the OS: its modules and its parameters.

use std::fmt::Write;

use dayfly_plan::{Code, SysctlPlan};
use dayfly_sys::own;

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::os::{self, WRITTEN};

/// modules-load.d(5).
const MODULES: &str = "/etc/modules-load.d/dayfly.conf";
/// Behind every other one, see sysctl.d(5): the last one wins.
const SYSCTLS: &str = "/etc/sysctl.d/zz-dayfly.conf";

/// Loads modules of the image now, and has the OS see to them again.
pub fn load_modules(cx: &Context, names: &[String]) -> Result<Done, Failure> {
    let mut troubles = written(cx, MODULES, &format!("{WRITTEN}{}\n", names.join("\n")));
    let modules = cx.modules.of_os();
    for name in names {
        let tried = format!("load the module {name} of the image");
        troubles.extend(unless_here(cx, name, tried, || modules.load(name)).err());
    }
    end(cx, troubles, format!("{} modules", names.len()))
}

/// Sets them now: the OS's own service may come late or not at all. Has the OS set them again, once it has loaded what
/// some of them belong to.
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

/// Writes what the OS goes by; what is done now does not depend on it.
pub fn written(cx: &Context, path: &str, text: &str) -> Vec<Failure> {
    let failed = |error| Failure::from_sys(Code::NodeWrite, format!("write {path}"), &error);
    os::write(&*cx.sys, path, text, 0o644).map_err(failed).err().into_iter().collect()
}

/// Sets each, and gives what went wrong.
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

/// Does something with a module, unless it was loaded before or is built in.
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

/// Each trouble is said; the first is what the step failed with.
pub fn end(cx: &Context, troubles: Vec<Failure>, detail: String) -> Result<Done, Failure> {
    for trouble in troubles.iter().skip(1) {
        cx.note(Level::Warning, format!("{}: {}", trouble.tried, trouble.wrong));
    }
    troubles.into_iter().next().map_or_else(|| Ok(Done::with(detail)), Err)
}
