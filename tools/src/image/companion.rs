//! Files that belong to an image and are not mounted.

use std::path::{Path, PathBuf};

use dayfly_formats::oci::Role;

/// A file and what it is for, from the argument `ROLE=FILE`.
#[derive(Debug, Clone)]
pub struct CompanionFile {
    /// What it is for.
    pub role: Role,
    /// Where it is.
    pub path: PathBuf,
    /// Its name in the manifest.
    pub title: String,
}

/// The name of a role.
pub fn name(role: Role) -> &'static str {
    match role {
        Role::BootProfile => "boot-profile",
        Role::Kernel => "kernel",
        Role::Initramfs => "initramfs",
        Role::Airgap => "airgap",
    }
}

/// Reads `ROLE=FILE`.
pub fn parse(text: &str) -> Result<CompanionFile, String> {
    let names = || Role::ALL.map(name).join(", ");
    let (role, path) = text
        .split_once('=')
        .ok_or_else(|| format!("expected ROLE=FILE, with one of the roles {}", names()))?;
    let found = Role::ALL.into_iter().find(|found| name(*found) == role);
    let role = found.ok_or_else(|| format!("unknown role \"{role}\"; there are {}", names()))?;
    let title = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_plain = title.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if title.is_empty() || title.starts_with('.') || !is_plain || title.len() > 255 {
        return Err(format!(
            "the file name \"{}\" cannot be in a manifest: it may have letters, digits and signs of ASCII, no blanks, and no dot at its beginning",
            title.escape_debug()
        ));
    }
    Ok(CompanionFile { role, path: path.into(), title: title.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_companion_has_a_known_role_and_a_plain_name() {
        let good = parse("kernel=/boot/vmlinuz-6.1").expect("accepted");
        assert_eq!((good.role, good.title.as_str()), (Role::Kernel, "vmlinuz-6.1"));
        for (text, wrong) in [
            ("vmlinuz", "expected ROLE=FILE"),
            ("cernel=vmlinuz", "unknown role \"cernel\"; there are boot-profile, kernel, initramfs, airgap"),
            ("kernel=", "cannot be in a manifest"),
            ("kernel=/boot/..", "cannot be in a manifest"),
            ("kernel=.hidden", "cannot be in a manifest"),
            ("kernel=a b", "cannot be in a manifest"),
        ] {
            let said = parse(text).expect_err(text);
            assert!(said.contains(wrong), "{text}: {said}");
        }
    }
}
