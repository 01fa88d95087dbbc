//! Checks that this kernel has the control groups that a kubelet needs: version 2, with its controllers.

use dayfly_plan::Code;
use dayfly_sys::{Mount, MountFlags, SysError, own};

use crate::Failure;
use crate::context::Context;
use crate::events::Level;

/// The mount point of cgroup v2. sysfs provides the directory.
const PLACE: &str = "/sys/fs/cgroup";
/// A kubelet needs all of these to start.
const CONTROLLERS: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];

/// Fails if a kubelet would not start. `v1` is the kernel parameter that makes systemd use version 1.
pub fn check(cx: &Context, v1: Option<&str>) -> Result<(), Failure> {
    const TRIED: &str = "check the control groups that pods need";
    let here = controllers(cx).map_err(|error| Failure::from_sys(Code::KubernetesCgroup, TRIED, &error))?;
    let missing: Vec<&str> =
        CONTROLLERS.into_iter().filter(|wanted| !here.split_whitespace().any(|one| one == *wanted)).collect();
    if !missing.is_empty() {
        let wrong = format!(
            "cgroup v2 has no controller {} in this kernel, only: {}",
            missing.join(", "),
            here.trim()
        );
        return Err(Failure::new(Code::KubernetesCgroup, TRIED, wrong));
    }
    match v1 {
        Some(word) => {
            let wrong = format!("{word} makes systemd use version 1 of the control groups");
            Err(Failure::new(Code::KubernetesCgroup, TRIED, wrong))
        }
        None => Ok(()),
    }
}

/// The controllers that version 2 may use. It is not mounted yet, unless another init ran before.
fn controllers(cx: &Context) -> Result<String, SysError> {
    let file = own(PLACE).join("cgroup.controllers");
    let read = || cx.sys.read(&file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match read() {
        Err(error) if error.is_not_found() => {}
        other => return other,
    }
    cx.sys.mount(&Mount::New {
        fstype: "cgroup2".to_owned(),
        source: "cgroup2".to_owned(),
        target: own(PLACE),
        options: Vec::new(),
        flags: MountFlags { read_only: false, nodev: true, nosuid: true, noexec: true, noatime: false },
    })?;
    let found = read();
    // The OS mounts it again with its own options.
    if let Err(error) = cx.sys.mount(&Mount::Unmount { target: own(PLACE), lazy: true }) {
        cx.note(Level::Warning, format!("{error}: it stays mounted for the OS"));
    }
    found
}
