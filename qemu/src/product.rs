//! The products of this checkout, in release form: the init, the `dayfly` command, the initramfs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use crate::{command::run, kernel::Kernel};

/// The target of the guest binary.
pub const GUEST_TARGET: &str = "x86_64-unknown-linux-musl";

/// Builds of one checkout.
#[derive(Debug, Clone)]
pub struct Product {
    root: PathBuf,
    target: PathBuf,
}

impl Product {
    /// The checkout that this harness was built from.
    pub fn of_checkout() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the crate has no parent folder")?
            .to_owned();
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Ok(Self { root, target })
    }

    /// The checkout's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder for files that tests write and people may want to read (logs), inside the target folder.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.target.join("dayfly").join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// The init, static, with the given cargo features on top of the defaults.
    pub fn init(&self, features: &str) -> Result<PathBuf> {
        let mut cargo = self.cargo("dayfly-init");
        cargo.args(["--target", GUEST_TARGET, "--features", features]);
        run(
            &format!("build: the init{}", if features.is_empty() { "" } else { " for fault tests" }),
            &mut cargo,
        )?;
        let built = self.target.join(GUEST_TARGET).join("release/dayfly-init");
        // Cargo gives every feature set the same path.
        let folder = self.folder("init")?;
        let kept = folder.join(format!("init-{}", if features.is_empty() { "default" } else { features }));
        // Another scenario may read the copy now, so it is replaced and never rewritten.
        let copy = NamedTempFile::new_in(&folder).context("cannot make a temporary file")?;
        fs::copy(&built, copy.path()).with_context(|| format!("cannot copy {}", built.display()))?;
        copy.persist(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
        Ok(kept)
    }

    /// The `dayfly` command.
    pub fn dayfly(&self) -> Result<PathBuf> {
        run("build: the dayfly command", self.cargo("dayfly-tools").args(["--bin", "dayfly"]))?;
        Ok(self.target.join("release/dayfly"))
    }

    /// An initramfs of the profile `virtio` around `init`, with more arguments of `dayfly initramfs`.
    pub fn initramfs(&self, name: &str, init: &Path, kernel: &Kernel, more: &[&str]) -> Result<PathBuf> {
        let path = self.folder("initramfs")?.join(format!("{name}.img"));
        let mut dayfly = Command::new(self.dayfly()?);
        dayfly.args(["initramfs", "--profile", "virtio", "--kernel", &kernel.version]).args(more);
        dayfly.arg("--init").arg(init).arg("--output").arg(&path);
        run("build: the initramfs", &mut dayfly)?;
        Ok(path)
    }

    fn cargo(&self, package: &str) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root).args(["build", "--release", "--locked", "--package", package]);
        cargo.arg("--target-dir").arg(&self.target);
        cargo
    }
}
