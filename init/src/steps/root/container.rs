//! What the tools of containers leave in a file system that was exported to be an image.

use dayfly_sys::{FileKind, SysError};

use crate::context::Context;
use crate::events::Level;
use crate::os;
use crate::trees::OS;

/// Docker's mark of a container. systemd as process 1 goes by it (src/basic/virt.c, detect_container_files) and leaves out
/// udev, mounts and logins; Podman's is in /run, which is new at each boot.
const MARK: &str = "/.dockerenv";
const MTAB: &str = "/etc/mtab";
/// What links /etc/resolv.conf to a file of its own in /run: a unit that starts it, or a program.
const RESOLVED: [&str; 4] = [
    "/etc/systemd/system/sysinit.target.wants/systemd-resolved.service",
    "/etc/systemd/system/multi-user.target.wants/systemd-resolved.service",
    "/usr/lib/systemd/system/sysinit.target.wants/systemd-resolved.service",
    "/usr/lib/systemd/system/multi-user.target.wants/systemd-resolved.service",
];
const RESOLVERS: [&str; 4] = ["resolvconf", "NetworkManager", "connmand", "netconfig"];

/// Takes away what would have the OS think that it is in a container, and puts right what only a container has so.
pub fn leave(cx: &Context) -> Result<(), SysError> {
    // An installed OS is as its administrator wants it.
    if cx.known.mounted_root.is_some() {
        return Ok(());
    }
    let mark = OS.at(MARK);
    if cx.sys.inspect(&mark)?.is_some() {
        cx.sys.remove_tree(&mark)?;
        cx.note(Level::Info, format!("{MARK} is taken away: the OS would take this machine for a container"));
    }
    // mount(8) and the services want the kernel's list, not an empty file or nothing.
    if cx.sys.inspect(&OS.at(MTAB))? != Some(FileKind::Symlink)
        && let Err(error) = os::link(&*cx.sys, "../proc/self/mounts", MTAB)
    {
        // A read-only /etc: nothing of the boot depends on this file.
        cx.note(Level::Info, error.to_string());
    }
    Ok(())
}

/// Whether a resolver service of the OS keeps /etc/resolv.conf, as a link to a file that it writes when it starts. A link
/// that nothing in this image will ever fill is a container's, or of a service that was not installed.
pub fn has_resolver(cx: &Context) -> Result<bool, SysError> {
    const FILE: &str = "/etc/resolv.conf";
    if cx.sys.inspect(&OS.at(FILE))? != Some(FileKind::Symlink) {
        return Ok(false);
    }
    // In the /run that the OS will have: what the image has there is covered.
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
        format!("{FILE} leads to nothing that this image would ever make: it is a file now"),
    );
    Ok(false)
}
