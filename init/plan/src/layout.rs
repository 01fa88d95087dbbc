//! Which paths of the OS are persistent, ephemeral or read-only.

mod defaults;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

pub use defaults::{DEFAULTS, Owned, Writer, default_layout, is_database};

use crate::settings::value::{Bytes, Value, own_values, pattern};
use crate::{Source, Sourced};

/// The policy for a path of the OS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// From the image, read-only.
    ReadOnly,
    /// Writable and lost at the next boot: the path is in the root's overlay.
    Ephemeral,
    /// On the state disk, filled from the image the first time. Without a state disk: a tmpfs, filled the same way.
    Persistent,
    /// As [`Policy::Persistent`], for a file. If neither the state disk nor the image has it yet, it starts empty.
    PersistentFile,
    /// A separate empty tmpfs with this size in bytes. `None`: the kernel's default, half of the memory.
    Tmpfs(Option<u64>),
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policy::ReadOnly => f.write_str("read-only"),
            Policy::Ephemeral => f.write_str("ephemeral"),
            Policy::Persistent => f.write_str("persistent"),
            Policy::PersistentFile => f.write_str("persistent-file"),
            Policy::Tmpfs(None) => f.write_str("tmpfs"),
            Policy::Tmpfs(Some(bytes)) => write!(f, "tmpfs({bytes})"),
        }
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = text.strip_prefix("tmpfs(").and_then(|rest| rest.strip_suffix(')'));
        match (text, size) {
            ("read-only", _) => Ok(Policy::ReadOnly),
            ("ephemeral", _) => Ok(Policy::Ephemeral),
            ("persistent", _) => Ok(Policy::Persistent),
            ("persistent-file", _) => Ok(Policy::PersistentFile),
            ("tmpfs", _) => Ok(Policy::Tmpfs(None)),
            (_, Some(size)) => Ok(Policy::Tmpfs(Some(Bytes::read(size)?))),
            _ => Err(format!(
                "\"{text}\" is not one of read-only, ephemeral, persistent, persistent-file, tmpfs, tmpfs(SIZE)"
            )),
        }
    }
}

own_values! {
    Policy = "policy", pattern(
        r"^(read-only|ephemeral|persistent|persistent-file|tmpfs(\((?!0*\))[0-9]+(\.[0-9]{1,9})?([kKmMgG](iB)?)?\))?)$"
    );
}

/// The policies by path. A parent is set up before the paths below it.
pub type Layout = BTreeMap<String, Sourced<Policy>>;

impl Policy {
    /// Whether the data survives a reboot.
    pub const fn persists(self) -> bool {
        matches!(self, Policy::Persistent | Policy::PersistentFile)
    }
}

/// Checks a layout path: it must be absolute and normalized, and must not shadow a path of the kernel or the boot.
pub fn check_path(path: &str) -> Result<(), String> {
    let normal = path.starts_with('/')
        && path.len() > 1
        && path.split('/').skip(1).all(|part| !part.is_empty() && part != "." && part != "..");
    if !normal {
        return Err(format!("\"{path}\" is not an absolute path without . and .."));
    }
    let top = path.split('/').nth(1).unwrap_or_default();
    if ["proc", "sys", "dev", "run"].contains(&top) {
        return Err(format!("\"{path}\" belongs to the kernel or to the boot itself"));
    }
    Ok(())
}

/// Sets the policy of one path. The source decides the precedence.
pub fn set(layout: &mut Layout, path: &str, text: &str, source: &Source) -> Result<(), String> {
    check_path(path)?;
    let policy = Policy::from_str(text)?;
    layout.entry(path.to_owned()).or_insert_with(|| Sourced::default_of(policy)).set(policy, source.clone());
    Ok(())
}
