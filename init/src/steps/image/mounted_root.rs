//! Uses the root that was mounted before Dayfly started (`init=`) as the image.

use dayfly_plan::Code;
use dayfly_sys::{Mount, own};

use crate::context::{Context, Done};
use crate::events::Level;
use crate::trees::IMAGE;
use crate::{Failure, Learned, MountedRoot};

/// The parts of the old root that the boot still uses: modules and their configuration, certificates, names, a shell.
const USED: [&str; 11] = [
    "bin",
    "etc/hosts",
    "etc/modprobe.d",
    "etc/pki",
    "etc/ssl",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "sbin",
    "usr",
];

/// The source in messages for a name or an id that comes from the mounted root.
pub const ORIGIN: &str = "root";

const TRIED: &str = "use the mounted root as the image";

/// Moves the boot to a root in memory. The old root becomes the read-only lower layer.
pub fn take(cx: &Context) -> Result<Done, Failure> {
    let failed = |error| Failure::from_sys(Code::ImageRoot, TRIED, &error);
    // /run is moved from root to root. If the image is mounted in it already, the OS's init started Dayfly again.
    if cx.sys.inspect(&IMAGE.place()).map_err(failed)?.is_some() {
        let wrong = "this root was made by Dayfly: the init that it started is Dayfly again";
        let fix = "Name the OS's own init with dayfly.init=/path; use init= with Dayfly only to boot an installed disk.";
        return Err(Failure::new(Code::ImageRoot, TRIED, wrong).with_fix(fix));
    }
    cx.sys.leave_root(IMAGE).map_err(failed)?;
    if let Err(error) = cx.sys.mount(&Mount::ReadOnly { target: IMAGE.place() }) {
        // Overlays do not write to their lower layers, but a program of the initramfs that still runs may.
        cx.note(
            Level::Warning,
            format!("the old root stays writable for programs that have a file in it open: {error}"),
        );
    }
    for name in USED {
        link(cx, name).map_err(|error| {
            Failure::from_sys(Code::ImageRoot, format!("find /{name} of the old root"), &error)
        })?;
    }
    let below = mounts_below(cx)?;
    let detail = match below.as_slice() {
        [] => "read-only below a root in memory".to_owned(),
        below => format!("read-only below a root in memory, with {}", below.join(" ")),
    };
    Ok(Done::with(detail).and(Learned::MountedRoot(MountedRoot { below })))
}

fn link(cx: &Context, name: &str) -> Result<(), dayfly_sys::SysError> {
    let target = IMAGE.at(name);
    match cx.sys.inspect(&target)? {
        Some(_) => cx.sys.symlink(&target.outside(), &own("/").join(name)),
        None => Ok(()),
    }
}

/// The mount points of file systems below the old root, as paths in the OS (proc_pid_mountinfo(5)).
fn mounts_below(cx: &Context) -> Result<Vec<String>, Failure> {
    let bytes = cx
        .sys
        .read(&own("/proc/self/mountinfo"))
        .map_err(|error| Failure::from_sys(Code::ImageRoot, "list the mounts below the old root", &error))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut below: Vec<String> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(4)?.strip_prefix(IMAGE.root()))
        .filter(|place| place.starts_with('/'))
        .map(str::to_owned)
        .collect();
    below.sort();
    below.dedup();
    Ok(below)
}

/// Reads a short file in the /etc of the mounted root.
pub fn line(cx: &Context, name: &str) -> Option<String> {
    // If it cannot be read, the node is named like a node without a disk.
    let bytes = cx.sys.read(&IMAGE.at("/etc").join(name)).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned()).filter(|text| !text.is_empty())
}
