//! `dayfly image diff`: what a transfer of parts would move.

use anyhow::Result;
use clap::Args;

use super::layer::format_name;
use super::reference::Image;
use super::update::{Moved, between};
use crate::output::say;

/// Shows how much of an image differs from another one
///
/// Counts the chunks of the new image that the old one does not have, and the ranges in which they lie. A transfer of parts would move
/// these. A node of this version fetches each layer whole.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The image that nodes have: the path of a manifest, a folder, or FOLDER:TAG
    old: String,
    /// The image that they get
    new: String,
}

/// Runs the command.
pub fn run(args: &DiffArgs) -> Result<()> {
    let (old, new) = (Image::open(&args.old)?, Image::open(&args.new)?);
    let moved = between(&old, &new)?;
    say!("from {} to {}", old.title(), new.title())?;
    let mut sum = Moved::default();
    for ((number, layer), moved) in (1..).zip(&new.manifest.layers).zip(&moved) {
        say!("  layer {number}, {}: {}", format_name(&layer.blob.media_type), moved.shown())?;
        sum += *moved;
    }
    say!("  together: {}", sum.shown())
}
