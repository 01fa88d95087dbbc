//! Whether this kernel has the control groups that a kubelet wants: version 2, with its controllers.

use dayfly_formats::cmdline::Cmdline;
use dayfly_plan::Code;
use dayfly_sys::{Mount, MountFlags, SysError, own};

use crate::Failure;
use crate::context::Context;
use crate::events::Level;

/// Where they belong. sysfs has the folder.
const PLACE: &str = "/sys/fs/cgroup";
/// Without one of these a kubelet does not start.
const CONTROLLERS: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];

/// Fails where a kubelet would not start.
pub fn check(cx: &Context) -> Result<(), Failure> {
    const TRIED: &str = "find the control groups that pods need";
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
    // Without a command line nobody has asked for version 1 in it.
    let cmdline = cx.sys.read(&own("/proc/cmdline")).unwrap_or_default();
    match asks_for_v1(&String::from_utf8_lossy(&cmdline)) {
        Some(word) => {
            let wrong = format!("{word} has systemd use version 1 of the control groups");
            Err(Failure::new(Code::KubernetesCgroup, TRIED, wrong))
        }
        None => Ok(()),
    }
}

/// The controllers that version 2 may use. Nobody has mounted it yet, unless another init was here before.
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
    // The OS mounts it with options of its own choice.
    if let Err(error) = cx.sys.mount(&Mount::Unmount { target: own(PLACE), lazy: true }) {
        cx.note(Level::Warning, format!("{error}: the OS finds it mounted"));
    }
    found
}

/// systemd's parameters for another version (systemd(1)); the last one counts.
fn asks_for_v1(cmdline: &str) -> Option<String> {
    let cmdline = Cmdline::parse(cmdline);
    let word = cmdline.words().iter().rev().find(|word| word.key == "systemd.unified_cgroup_hierarchy")?;
    let value = word.value.as_deref()?;
    ["0", "no", "n", "false", "f", "off"].contains(&value).then(|| format!("{}={value}", word.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_no_asks_for_version_1() {
        let word = "systemd.unified_cgroup_hierarchy";
        for (cmdline, is_asked) in [
            ("quiet".to_owned(), false),
            (word.to_owned(), false),
            (format!("{word}=1"), false),
            (format!("{word}=0"), true),
            (format!("{word}=false quiet"), true),
            (format!("{word}=0 {word}=1"), false),
        ] {
            assert_eq!(asks_for_v1(&cmdline).is_some(), is_asked, "{cmdline}");
        }
    }
}
