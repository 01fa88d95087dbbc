//! The server image with a k0s that the user provides, since no Debian package has it.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{Images, debian, squash_with};
use crate::cache::sha256_file;

impl Images {
    /// The image with this program as /usr/bin/k0s, built if the cache has none with this program.
    pub fn with_k0s(&self, program: &Path) -> Result<PathBuf> {
        let recipe = &debian::SYSTEMD_SERVER;
        let key = recipe.key(&self.kernel).with(include_str!("k0s.rs")).with(sha256_file(program)?);
        self.cache.get("k0s.squashfs", key, |path| {
            let tree = recipe.tree(&self.cache, &self.kernel)?;
            let folder = tempfile::tempdir()?;
            let link = folder.path().join("k0s");
            // mksquashfs passes the command to a shell: use a name without special characters.
            symlink(program.canonicalize().context("cannot find the k0s")?, &link)?;
            let file = format!("/usr/bin/k0s f 755 0 0 cat {}", link.display());
            squash_with(&format!("{} with a k0s", recipe.name), &tree, path, &[&file])
        })
    }
}
