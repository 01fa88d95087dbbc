//! Compares the plan that a node ran with the plan that `dayfly explain` makes on this host from the same inputs.

use std::{path::PathBuf, process::Command, sync::OnceLock};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::{command::output, product::Product};

/// An error if plan or settings of a boot.json are not those that `dayfly explain` prints for the node's command line and way.
/// `more` has arguments for the node's other inputs (`--settings FILE` …).
pub(super) fn compare(report: &Value, cmdline: &str, more: &[String]) -> Result<()> {
    let way = report["way"].as_str().context("boot.json does not say how Dayfly was started")?;
    let mut dayfly = Command::new(dayfly()?);
    dayfly.args(["explain", "--json", "--way", way, "--cmdline", cmdline]).args(more);
    let explained: Value = serde_json::from_str(&output(&mut dayfly, b"")?)
        .context("`dayfly explain --json` does not print JSON")?;
    for part in ["plan", "notes", "settings"] {
        let (ran, told) = (&report[part], &explained[part]);
        if ran != told {
            bail!(
                "boot.json and `dayfly explain` have different {part}. Only in boot.json:\n{}Only in `dayfly explain`:\n{}",
                only_in(ran, told),
                only_in(told, ran)
            );
        }
    }
    Ok(())
}

fn only_in(list: &Value, other: &Value) -> String {
    let rows = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let known = rows(other);
    rows(list)
        .iter()
        .filter(|row| !known.contains(row))
        .flat_map(|row| ["    ".to_owned(), row.to_string(), "\n".to_owned()])
        .collect()
}

/// The command, built once.
fn dayfly() -> Result<&'static PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || Product::of_checkout().and_then(|product| product.dayfly());
    BUILT
        .get_or_init(|| build().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!(error.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shows_what_differs() {
        let (one, other) = (json!([{"step": "a"}, {"step": "b"}]), json!([{"step": "b"}]));
        assert_eq!(only_in(&one, &other), "    {\"step\":\"a\"}\n");
        assert_eq!(only_in(&other, &one), "");
    }
}
