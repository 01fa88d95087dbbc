//! The error messages for files that are not an image, and for images that the kernel does not accept.

use std::path::Path;

use dayfly_formats::foreign;
use dayfly_formats::superblock::{self, Kind};
use dayfly_formats::{gpt, mbr};
use dayfly_plan::Code;
use dayfly_sys::{SysError, own};

use crate::Failure;
use crate::context::Context;
use crate::devices;
use crate::modules::Modules;

const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;

/// The start of the file is not that of a known file system.
pub fn of_bytes(head: &[u8], tried: &str) -> Failure {
    if let Some(found) = foreign::recognize(head) {
        let wrong = format!("it is {}, not a file system image", found.name);
        Failure::new(Code::ImageFormat, tried, wrong).with_fix(found.help)
    } else {
        let wrong = format!("it starts with {}, which is not a known file system", preview(head));
        Failure::new(Code::ImageFormat, tried, wrong)
    }
}

/// It is a member of a larger device, or encrypted.
pub fn of_member(kind: Kind, tried: &str) -> Failure {
    let wrong = format!("it is {}, which cannot be mounted directly", kind.as_str());
    Failure::new(Code::ImageFormat, tried, wrong)
        .with_fix("Make an image of the file system in it: mksquashfs os os.squashfs -comp zstd.")
}

/// The device has no file system.
pub fn of_disk(cx: &Context, path: &Path, tried: String) -> Failure {
    let head = cx.sys.read_at(&own(path), 0, superblock::PROBE_LEN).unwrap_or_default();
    if gpt::parse(&head, 512).is_ok() || gpt::parse(&head, 4096).is_ok() || mbr::parse(&head).is_some() {
        let wrong = format!("{} is a whole disk with a partition table", path.display());
        return Failure::new(Code::ImageFormat, tried, wrong)
            .with_fix("Name the partition: by LABEL=, UUID=, PARTLABEL=, PARTUUID= or its device.");
    }
    if head.is_empty() || foreign::recognize(&head).is_none() {
        return Failure::new(Code::ImageFormat, tried, "no file system is recognised on it");
    }
    of_bytes(&head, &tried)
}

/// The kernel's error, and which features the kernel needs.
pub fn of_kernel(modules: &Modules, kind: Kind, head: &[u8], tried: &str, error: &SysError) -> Failure {
    let failure = devices::refused(Code::ImageMount, tried, kind, error);
    if !matches!(error.errno(), Some(EINVAL | EOPNOTSUPP)) {
        return failure;
    }
    let needs = superblock::kernel_needs(head);
    if needs.is_empty() {
        return failure;
    }
    let texts: Vec<String> = needs
        .iter()
        .map(|need| match need.since {
            "none" => format!("{} ({})", need.what, need.option),
            since => format!("{} ({}, Linux {since} or later)", need.what, need.option),
        })
        .collect();
    let fix = format!(
        "The image uses {}, but the running kernel is {}. Boot a kernel that supports it, or make the image without it (mksquashfs -comp gzip, mkfs.erofs without -z, -E, -m and -b).",
        texts.join(", "),
        modules.release()
    );
    failure.with_fix(fix)
}

/// The first bytes, as text if they are text. This identifies, for example, the error page of a server.
fn preview(head: &[u8]) -> String {
    let start = head.get(..32).unwrap_or(head);
    if start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        format!("{:?}", String::from_utf8_lossy(start))
    } else {
        let hex: Vec<String> = start.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("the bytes {}", hex.join(" "))
    }
}
