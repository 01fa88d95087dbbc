//! Images of trees: recognizes folders and archives, and packs them with the host's mksquashfs and mkfs.erofs.

pub mod archive;
mod erofs;
pub mod form;
mod order;
mod spool;
mod squashfs;
pub mod tool;
pub mod tree;
mod walk;

use std::path::Path;

use anyhow::{Context, Result};

use crate::epoch::source_date_epoch;

/// Folders of a tree over which a node mounts its own. Their contents belong to the machine that the tree was made on.
const COVERED: &[&str] = &["proc", "sys", "dev", "run"];

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// One boot on this host: packed quickly.
    Try,
    /// Many boots and updates: small, in the order of packages, and the same bytes for the same files.
    Release,
}

/// Packs trees.
#[derive(Debug)]
pub struct Packer<'a> {
    /// What the images are for.
    pub purpose: Purpose,
    /// The folder for temporary files.
    pub work: &'a Path,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl Packer<'_> {
    /// Says, once, which owners the files of a folder get if the user is not root. Returns whether that is so.
    fn note_owners(&mut self) -> bool {
        let is_user = !rustix::process::geteuid().is_root();
        let note = "you are not root, so every file of the image is owned by root; as root, or from a container's archive, owners are kept";
        if is_user && !self.notes.iter().any(|there| there == note) {
            self.notes.push(note.to_owned());
        }
        is_user
    }
}

/// Adds the advice for a folder that a user cannot read.
fn advise<T>(packed: Result<T>, is_user: bool) -> Result<T> {
    let hint = "if only root can read some files of the folder, run this with sudo";
    if is_user { packed.context(hint) } else { packed }
}

/// The time of an image: `SOURCE_DATE_EPOCH`, or the newest time of the tree. Files that are newer get this time.
fn epoch(newest: u64) -> Result<u64> {
    Ok(source_date_epoch()?.unwrap_or(newest))
}
