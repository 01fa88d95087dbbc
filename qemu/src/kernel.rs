//! The kernel that the virtual machines run: the distribution's own, from /boot and /lib/modules.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// A kernel with its modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// As `uname -r` prints it, such as `6.1.0-56-amd64`.
    pub version: String,
    /// The bzImage.
    pub image: PathBuf,
    /// `/lib/modules/<version>`.
    pub modules: PathBuf,
}

impl Kernel {
    /// The kernel's configuration, beside it in /boot.
    pub fn config(&self) -> PathBuf {
        self.image.with_file_name(format!("config-{}", self.version))
    }

    /// The newest kernel in /boot that has modules; `$DAYFLY_KERNEL` names a version instead.
    pub fn of_host() -> Result<Self> {
        Self::find(Path::new("/boot"), Path::new("/lib/modules"), env::var("DAYFLY_KERNEL").ok().as_deref())
    }

    /// The newest of the `vmlinuz-*` in `boot` with a folder in `modules`, or the one named `wanted`.
    pub fn find(boot: &Path, modules: &Path, wanted: Option<&str>) -> Result<Self> {
        let mut found = Vec::new();
        for entry in fs::read_dir(boot).with_context(|| format!("cannot list {}", boot.display()))? {
            let image = entry?.path();
            let name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(version) = name.strip_prefix("vmlinuz-")
                && wanted.is_none_or(|wanted| wanted == version)
                && modules.join(version).is_dir()
            {
                found.push(Self { version: version.to_owned(), modules: modules.join(version), image });
            }
        }
        found.sort_by_cached_key(|kernel| ordering(&kernel.version));
        found.pop().with_context(|| {
            format!(
                "no kernel{} in {} with modules in {}; qemu/provision installs Debian's",
                wanted.map(|wanted| format!(" {wanted}")).unwrap_or_default(),
                boot.display(),
                modules.display()
            )
        })
    }
}

/// Splits a version so that numbers compare as numbers.
fn ordering(version: &str) -> Vec<(u64, String)> {
    version
        .split(['.', '-', '+', '~'])
        .map(|part| part.parse().map_or_else(|_| (0, part.to_owned()), |number| (number, String::new())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_newest_with_modules() {
        let dir = tempfile::tempdir().unwrap();
        let (boot, modules) = (dir.path().join("boot"), dir.path().join("modules"));
        for version in ["6.1.0-9-amd64", "6.1.0-10-amd64", "6.12.0-1-amd64"] {
            fs::create_dir_all(&boot).unwrap();
            fs::write(boot.join(format!("vmlinuz-{version}")), "").unwrap();
        }
        for version in ["6.1.0-9-amd64", "6.1.0-10-amd64"] {
            fs::create_dir_all(modules.join(version)).unwrap();
        }
        assert_eq!(Kernel::find(&boot, &modules, None).unwrap().version, "6.1.0-10-amd64");
        assert_eq!(Kernel::find(&boot, &modules, Some("6.1.0-9-amd64")).unwrap().version, "6.1.0-9-amd64");
        let error = Kernel::find(&boot, &modules, Some("6.12.0-1-amd64")).unwrap_err().to_string();
        assert!(error.starts_with("no kernel 6.12.0-1-amd64 in"), "{error}");
    }
}
