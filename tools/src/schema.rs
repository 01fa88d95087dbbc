//! `dayfly schema`: the JSON schema of settings files.

use anyhow::Result;
use clap::Args;

/// Prints the JSON schema of settings files
#[derive(Debug, Args)]
pub struct SchemaArgs {}

/// Runs the command.
pub fn run(_: &SchemaArgs) -> Result<()> {
    let text = serde_json::to_string_pretty(&dayfly_plan::settings::schema())?;
    crate::output::say!("{text}")
}
