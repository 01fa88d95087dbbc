//! Erofs images, made by mkfs.erofs.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::tool::{self, MKFS_EROFS};
use super::walk::{seconds, walk};
use super::{COVERED, Packer, advise, epoch};

impl Packer<'_> {
    /// Packs a folder. Leaves out the contents of the folders that a node covers. `uuid` is that of the file system. mkfs.erofs
    /// 1.5, that of Debian 12, reads no archives and has no option for the order of files.
    pub fn erofs_of_folder(&mut self, tree: &Path, uuid: &str, to: &Path) -> Result<()> {
        let program = MKFS_EROFS.find()?;
        let is_user = self.note_owners();
        let mut newest = 0;
        let walked = walk(tree, &mut |_, meta| {
            newest = newest.max(seconds(meta));
            Ok(())
        });
        advise(walked, is_user)?;
        let mut command = Command::new(&program);
        command.args(["-zlz4hc", "-C65536"]).arg(format!("-U{uuid}"));
        // -T would give all files the same time; this gives it only to those that are newer, and to the file system.
        command.env("SOURCE_DATE_EPOCH", epoch(newest)?.to_string());
        command.arg(format!("--exclude-regex=^({})/.*", COVERED.join("|")));
        if is_user {
            command.arg("--all-root");
        }
        advise(tool::call(&program, command.arg(to).arg(tree)), is_user).map(drop)
    }
}
