//! Which modules go into the image.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use dayfly_formats::modules::{Table, normalize};

use super::profile::Profile;
use crate::kernel::Kernel;

/// The chosen modules: the table for the image, and notes for the user.
#[derive(Debug)]
pub struct Selection {
    /// The kernel's table cut down to the image; its files are named without compression.
    pub table: Table,
    /// (file in the module folder, file in the image), relative to the module folder; sorted.
    pub files: Vec<(String, String)>,
    /// Notes for the user, in whole sentences.
    pub notes: Vec<String>,
}

/// Chooses the modules of `profiles` and `add`, with all they need, without `omit`.
///
/// A name of a profile that this kernel does not have is noted; one of `add` or `omit` is an error.
pub fn select(kernel: &Kernel, profiles: &[Profile], add: &[String], omit: &[String]) -> Result<Selection> {
    let omitted = omit.iter().map(|name| omitted(kernel, name, add)).collect::<Result<Vec<_>>>()?;
    let omitted: Vec<&str> = omitted.iter().map(String::as_str).collect();
    let table = kernel.table.without(&omitted);

    let mut notes = Vec::new();
    let mut chosen: BTreeSet<String> = BTreeSet::new();
    let (mut builtin, mut absent): (BTreeSet<&str>, BTreeSet<&str>) = Default::default();
    for name in profiles.iter().flat_map(|profile| profile.modules()) {
        if omitted.contains(&name) {
            continue;
        }
        if !table.has(name) {
            if table.is_builtin(name) {
                builtin.insert(name)
            } else {
                absent.insert(name)
            };
            continue;
        }
        match table.load_order(name) {
            Ok(_) => {
                chosen.insert(name.to_owned());
            }
            Err(error) => notes.push(format!("{name} is left out: {error}")),
        }
    }
    for query in add {
        let names = table.lookup(query);
        if names.is_empty() {
            bail!("--add-module {query}: {}", unknown(kernel, query));
        }
        for name in names {
            table.load_order(&name).map_err(|error| anyhow::anyhow!("--add-module {query}: {error}"))?;
            chosen.insert(name);
        }
    }
    if !builtin.is_empty() || !absent.is_empty() {
        notes.push(format!(
            "kernel {} has these modules of the profile built in: {}; it lacks: {}",
            kernel.release,
            listed(&builtin),
            listed(&absent)
        ));
    }

    let names: Vec<&str> = chosen.iter().map(String::as_str).collect();
    let subset = table.subset(&names)?;
    let sources: Vec<String> =
        subset.names().filter_map(|name| subset.path(name)).map(str::to_owned).collect();
    let table = subset.uncompressed();
    let targets = table.names().filter_map(|name| table.path(name)).map(str::to_owned);
    let mut files: Vec<(String, String)> = sources.into_iter().zip(targets).collect();
    files.sort();
    Ok(Selection { table, files, notes })
}

fn omitted(kernel: &Kernel, name: &str, add: &[String]) -> Result<String> {
    let normal = normalize(name).unwrap_or_default();
    if add.iter().any(|added| normalize(added).as_deref() == Some(&normal)) {
        bail!("{name} is given to --add-module and to --omit-module; drop one of them");
    }
    if kernel.table.is_builtin(&normal) {
        bail!("--omit-module {name}: it is built into kernel {}, so it cannot be left out", kernel.release);
    }
    if !kernel.table.has(&normal) {
        bail!("--omit-module {name}: {}", unknown(kernel, name));
    }
    Ok(normal)
}

/// Says that there is no such module, and which one may be meant.
fn unknown(kernel: &Kernel, name: &str) -> String {
    let normal = name.replace('-', "_");
    let near = kernel
        .table
        .names()
        .map(|known| (strsim::normalized_damerau_levenshtein(&normal, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.6);
    let hint = near.map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default();
    format!("kernel {} has no module or alias of this name{hint}", kernel.release)
}

fn listed(names: &BTreeSet<&str>) -> String {
    if names.is_empty() { "none".to_owned() } else { names.iter().copied().collect::<Vec<_>>().join(" ") }
}
