//! `dayfly modules`: shows what the module resolver finds.

use anyhow::{Result, bail};
use clap::Args;
use dayfly_formats::modules::Table;

use crate::kernel::KernelArgs;
use crate::output::say;

/// Shows which modules an alias or a name stands for, and what loading each would load
#[derive(Debug, Args)]
pub struct ModulesArgs {
    #[command(flatten)]
    kernel: KernelArgs,
    /// A modalias as in /sys/**/modalias, an alias or a module's name
    #[arg(required = true, value_name = "MODALIAS|NAME")]
    queries: Vec<String>,
}

/// Prints the answers; fails if one query has none.
pub fn run(args: &ModulesArgs) -> Result<()> {
    let kernel = args.kernel.open()?;
    for note in kernel.table.notes() {
        eprintln!("note: {note}");
    }
    let mut unknown = Vec::new();
    for query in &args.queries {
        let names = kernel.table.lookup(query);
        if names.is_empty() {
            say!("{query}: no module of kernel {}", kernel.release)?;
            unknown.push(query.as_str());
        }
        for name in names {
            say!("{query}: {name}")?;
            show(&kernel.table, &name)?;
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    bail!("kernel {} has no module for {}", kernel.release, unknown.join(", "))
}

fn show(table: &Table, name: &str) -> Result<()> {
    match table.load_order(name) {
        Err(error) => say!("  {error}")?,
        Ok(loads) if loads.is_empty() => say!("  built in")?,
        Ok(loads) => {
            for load in loads {
                let soft = if load.required { "" } else { "  (soft dependency)" };
                let params = if load.params.is_empty() { String::new() } else { format!(" {}", load.params) };
                say!("  {}{params}{soft}", load.path)?;
            }
        }
    }
    Ok(())
}
