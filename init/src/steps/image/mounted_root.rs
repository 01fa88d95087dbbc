//! The root that somebody mounted (`init=`) as the image.

use dayfly_plan::Code;
use dayfly_sys::{Mount, own};

use crate::context::{Context, Done};
use crate::events::Level;
use crate::trees::IMAGE;
use crate::{Failure, Learned, MountedRoot};

/// What the boot goes on using of the old root: modules and their configuration, certificates, names, a shell.
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

/// What a name or an id is said to be from that the mounted root has.
pub const ORIGIN: &str = "root";

const TRIED: &str = "take the mounted root as the image";

/// Goes on from a root in memory, with the one before as the lower layer, which is not written to any more.
pub fn take(cx: &Context) -> Result<Done, Failure> {
    let failed = |error| Failure::from_sys(Code::ImageRoot, TRIED, &error);
    // /run moves from root to root: where this boot has been here before, an init led back to Dayfly.
    if cx.sys.inspect(&IMAGE.place()).map_err(failed)?.is_some() {
        let wrong = "this root is one that Dayfly has made: the init that it went on with is Dayfly again";
        let fix = "Name the OS's own init with dayfly.init=/path; init= names Dayfly only where an installed disk is booted.";
        return Err(Failure::new(Code::ImageRoot, TRIED, wrong).with_fix(fix));
    }
    cx.sys.leave_root(IMAGE).map_err(failed)?;
    if let Err(error) = cx.sys.mount(&Mount::ReadOnly { target: IMAGE.place() }) {
        // Layers of an overlay are not written to; a program of the initramfs that still runs may.
        cx.note(
            Level::Warning,
            format!("the old root stays writable for who has a file of it open: {error}"),
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

/// The places of file systems that were mounted below the old root, as they are called in the OS (proc_pid_mountinfo(5)).
fn mounts_below(cx: &Context) -> Result<Vec<String>, Failure> {
    let bytes = cx.sys.read(&own("/proc/self/mountinfo")).map_err(|error| {
        Failure::from_sys(Code::ImageRoot, "see what is mounted below the old root", &error)
    })?;
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

/// The text of a short file in the /etc of the mounted root.
pub fn line(cx: &Context, name: &str) -> Option<String> {
    // Without it, the node is named as one without a disk of its own is.
    let bytes = cx.sys.read(&IMAGE.at("/etc").join(name)).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned()).filter(|text| !text.is_empty())
}
