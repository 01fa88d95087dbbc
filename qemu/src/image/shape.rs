//! Images with the layout of other distributions, made of Debian packages: where their files are, which program is process 1, which
//! package database they have. Each is named after a distribution's layout; none is that distribution.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Images, debian, squash_with};
use crate::command::call;

const SHAPES: &str = include_str!("../../recipe/shapes");
const AGENT: &str = include_str!("../../recipe/agent.busybox");

/// The init of [`super::Image::ShapeNixos`], by the link that NixOS's boot entries have.
pub const NIXOS_INIT: &str = "/nix/var/nix/profiles/system/init";

impl Images {
    /// A tree of a few MB, made from parts of packages.
    pub(super) fn shaped(&self, shape: &str) -> Result<PathBuf> {
        let key = debian::PARTS.key(&self.kernel).with(SHAPES).with(AGENT);
        self.cache.get(&format!("{shape}-shaped.squashfs"), key, |path| {
            squash(shape, &debian::PARTS.tree(&self.cache, &self.kernel)?, path)
        })
    }

    /// The tree of Debian 13 in another layout.
    pub(super) fn bootc(&self) -> Result<PathBuf> {
        let key = debian::TRIXIE_SYSTEMD.key(&self.kernel).with(SHAPES);
        self.cache.get("bootc-shaped.squashfs", key, |path| {
            squash("bootc", &debian::TRIXIE_SYSTEMD.tree(&self.cache, &self.kernel)?, path)
        })
    }
}

fn squash(shape: &str, parts: &Path, to: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tree = folder.path().join("tree");
    let (from, into) = (parts.to_string_lossy(), tree.to_string_lossy());
    let what = format!("image: a tree with the layout of {shape}");
    call(&what, "bash", &["-c", SHAPES, "shapes", shape, &from, &into, AGENT])?;
    squash_with(&format!("with the layout of {shape}"), &tree, to, &[])
}
