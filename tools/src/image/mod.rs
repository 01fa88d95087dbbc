//! `dayfly image`: makes signed images of operating systems, and looks into them. docs/reference/manifest.md is the format.

mod arguments;
mod build;
mod chunks;
mod companion;
mod diff;
mod inspect;
mod key_file;
mod keys;
mod layer;
pub mod layout;
mod publish;
mod reference;
mod sign;
pub mod signatures;
mod update;
mod verify;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Makes signed images of an OS, and compares and verifies them
///
/// An image is a manifest, which names every other file by its SHA-256, in an OCI image layout: a folder that any web server can
/// serve. A node that has the public key boots only an image whose manifest is signed with it.
#[derive(Debug, Args)]
pub struct ImageArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(Box<build::BuildArgs>),
    Inspect(inspect::InspectArgs),
    Verify(verify::VerifyArgs),
    Diff(diff::DiffArgs),
    Sign(sign::SignArgs),
    Keys(keys::KeysArgs),
}

/// Runs the command.
pub fn run(args: &ImageArgs) -> Result<()> {
    match &args.command {
        Command::Build(args) => build::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Keys(args) => keys::run(args),
    }
}
