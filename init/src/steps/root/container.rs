//! Removes traces that container tools leave in an exported file system.

use dayfly_sys::{FileKind, SysError};

use crate::context::Context;
use crate::events::Level;
use crate::os;
use crate::trees::OS;

/// Docker's marker file for containers. systemd as process 1 detects it (src/basic/virt.c, detect_container_files) and
/// then skips udev, mounts and logins. Podman's marker is in /run, which is new at each boot.
const MARK: &str = "/.dockerenv";
const MTAB: &str = "/etc/mtab";
/// Services that link /etc/resolv.conf to their own file in /run: a unit that starts the service, or a program.
const RESOLVED: [&str; 4] = [
    "/etc/systemd/system/sysinit.target.wants/systemd-resolved.service",
    "/etc/systemd/system/multi-user.target.wants/systemd-resolved.service",
    "/usr/lib/systemd/system/sysinit.target.wants/systemd-resolved.service",
    "/usr/lib/systemd/system/multi-user.target.wants/systemd-resolved.service",
];
const RESOLVERS: [&str; 4] = ["resolvconf", "NetworkManager", "connmand", "netconfig"];

/// Removes the files that would make the OS assume that it runs in a container, and repairs the ones that are broken
/// outside of a container.
pub fn leave(cx: &Context) -> Result<(), SysError> {
    // An installed OS is not changed.
    if cx.known.mounted_root.is_some() {
        return Ok(());
    }
    let mark = OS.at(MARK);
    if cx.sys.inspect(&mark)?.is_some() {
        cx.sys.remove_tree(&mark)?;
        cx.note(
            Level::Info,
            format!("removed {MARK}: with it, the OS would assume that it runs in a container"),
        );
    }
    // mount(8) and services need the kernel's list of mounts here, not an empty or missing file.
    if cx.sys.inspect(&OS.at(MTAB))? != Some(FileKind::Symlink)
        && let Err(error) = os::link(&*cx.sys, "../proc/self/mounts", MTAB)
    {
        // /etc may be read-only. The boot does not need this file.
        cx.note(Level::Info, error.to_string());
    }
    Ok(())
}

/// Whether a resolver service of the OS manages /etc/resolv.conf, as a link to a file that it writes at its start. A
/// link whose target no service of this image would create comes from a container, or from a service that is not
/// installed.
pub fn has_resolver(cx: &Context) -> Result<bool, SysError> {
    const FILE: &str = "/etc/resolv.conf";
    if cx.sys.inspect(&OS.at(FILE))? != Some(FileKind::Symlink) {
        return Ok(false);
    }
    // The link's target is in the /run of the running OS; the image's own /run is hidden by it.
    if os::read(&*cx.sys, FILE)?.is_some() {
        return Ok(true);
    }
    for unit in RESOLVED {
        if os::has(&*cx.sys, unit)? {
            return Ok(true);
        }
    }
    for program in RESOLVERS {
        if os::has_program(&*cx.sys, program)? {
            return Ok(true);
        }
    }
    cx.note(
        Level::Info,
        format!("{FILE} is a link to a file that no service of this image creates: replaced it by a file"),
    );
    Ok(false)
}
