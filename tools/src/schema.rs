//! `dayfly schema`: the JSON schema of settings files.

use std::io::{Write, stdout};

use anyhow::{Context, Result};
use clap::Args;

/// Prints the JSON schema of settings files
#[derive(Debug, Args)]
pub struct SchemaArgs {}

/// Runs the command.
pub fn run(_: &SchemaArgs) -> Result<()> {
    let text = serde_json::to_string_pretty(&dayfly_plan::settings::schema())?;
    writeln!(stdout(), "{text}").context("cannot write to standard output")
}
