//! Kernel modules.

use std::ffi::CString;
use std::path::Path;

use rustix::io::Errno;
use rustix::system::finit_module;

use crate::{Cause, Loaded, Result, SysError, TreePath};

/// `MODULE_INIT_COMPRESSED_FILE` (linux/module.h, since 5.17).
const COMPRESSED_FILE: i32 = 4;
/// Names the one compression that the kernel can decompress; the file does not exist if it supports none.
const KERNEL_COMPRESSION: &str = "/sys/module/compression";

pub(super) fn load(path: &TreePath, params: &str) -> Result<Loaded> {
    let shown = &path.to_string();
    let file_name = path.inside();
    let flags = match compression(file_name) {
        None => 0,
        Some(needed) => {
            let known = std::fs::read_to_string(KERNEL_COMPRESSION).unwrap_or_default();
            check_compression(file_name, needed, known.trim())?;
            COMPRESSED_FILE
        }
    };
    let params = CString::new(params).map_err(|_| {
        SysError::new(
            "load the module",
            shown.clone(),
            Cause::Errno(libc::EINVAL),
            "its parameters hold a NUL byte",
        )
    })?;
    let file = super::files::open(path)?;
    match finit_module(&file, &params, flags) {
        Ok(()) => Ok(Loaded::Now),
        Err(Errno::EXIST) => Ok(Loaded::Already),
        Err(errno) => {
            let mut error = SysError::from_io("load the module", shown.clone(), &errno.into());
            if let Some(meaning) = meaning(errno) {
                error.words = format!("{}: {meaning}", error.words);
            }
            Err(error)
        }
    }
}

/// The kernel's name for the compression of a module file.
fn compression(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "xz" => Some("xz"),
        "gz" => Some("gzip"),
        "zst" => Some("zstd"),
        _ => None,
    }
}

fn check_compression(path: &Path, needed: &str, known: &str) -> Result<()> {
    if known == needed {
        return Ok(());
    }
    let can = if known.is_empty() { "nothing".to_owned() } else { format!("only {known}") };
    let words = format!(
        "the file is compressed with {needed}, and this kernel can decompress {can} (CONFIG_MODULE_DECOMPRESS); \
         build the initramfs with uncompressed modules, as `dayfly initramfs` does"
    );
    Err(SysError::new("load the module", path.display().to_string(), Cause::Unsupported, words))
}

/// The meaning of an errno of finit_module(2). The details are only in the kernel log.
fn meaning(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::NOEXEC => "it was built for another kernel or architecture, or the file is damaged",
        Errno::NOENT => "it uses a symbol that no loaded module has; load its dependencies first",
        Errno::INVAL => "the kernel refused its format or a parameter",
        Errno::KEYREJECTED | Errno::NOKEY | Errno::BADMSG => {
            "its signature is missing or wrong, and this kernel requires one"
        }
        Errno::PERM => "loading modules is disabled (kernel.modules_disabled or lockdown)",
        Errno::NODEV => "it found no device that it supports",
        Errno::BUSY => "a resource that it needs is in use, or it is being loaded already",
        Errno::NOSYS => "this kernel does not support modules (CONFIG_MODULES)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compression_is_in_the_name() {
        for (path, expected) in [
            ("/m/a.ko", None),
            ("/m/a.ko.xz", Some("xz")),
            ("/m/a.ko.gz", Some("gzip")),
            ("/m/a.ko.zst", Some("zstd")),
            ("/m/xz", None),
        ] {
            assert_eq!(compression(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_compression_that_the_kernel_lacks_is_named_with_the_way_out() {
        let path = Path::new("/m/virtio_net.ko.xz");
        assert!(check_compression(path, "xz", "xz").is_ok());
        for (known, expected) in [("", "can decompress nothing"), ("zstd", "can decompress only zstd")] {
            let error = check_compression(path, "xz", known).unwrap_err();
            assert_eq!(error.cause, Cause::Unsupported);
            let text = error.to_string();
            assert!(
                text.contains("/m/virtio_net.ko.xz") && text.contains("with xz") && text.contains(expected),
                "{text}"
            );
        }
    }
}
