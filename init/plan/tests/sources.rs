//! The table of sources: the documentation must agree with it, and the places that a source touches are counted.

use std::fs;
use std::path::{Path, PathBuf};

use dayfly_plan::{Kind, Place};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names in the line of docs/explanation/settings.md with this order.
fn order(sign: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/explanation/settings.md")).unwrap();
    let line = text.lines().find(|line| line.matches(sign).count() > 4).expect("the page has the order");
    line.split(sign).map(|name| name.trim().to_owned()).collect()
}

#[test]
fn precedence_on_the_page_is_that_of_the_table() {
    assert!(Kind::ALL.is_sorted(), "the order of the rows is that of precedence");
    let names = Kind::ALL.iter().filter(|kind| **kind != Kind::Default).map(|kind| kind.row().doc.name);
    assert_eq!(order(" < "), names.collect::<Vec<_>>());
}

#[test]
fn trust_on_the_page_is_that_of_the_table() {
    let mut kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|kind| *kind != Kind::Default).collect();
    kinds.sort_by_key(|kind| kind.row().place);
    let mut names: Vec<&str> = kinds
        .iter()
        .map(|kind| match kind.row().place {
            // All stores of the firmware count as one.
            Place::Firmware => "firmware",
            _ => kind.row().doc.name,
        })
        .collect();
    names.dedup();
    assert_eq!(order(" > "), names);
}

/// Source files that name a source, without tests.
fn files_with(word: &str) -> Vec<String> {
    fn walk(folder: &Path, word: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["tests", "target"].contains(&name) {
                    walk(&path, word, found);
                }
            } else if path.extension().is_some_and(|end| end == "rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]").next().unwrap();
                // `ImageSource` is another type.
                let is_word = |(at, _)| !product[..at].ends_with(char::is_alphanumeric);
                if product.match_indices(word).any(is_word) {
                    found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("init"), word, &mut found);
    found.sort();
    found
}

/// A source is a row of the table, `init/plan/src/source.rs` (not counted here), and the code that passes its text on.
/// No other code names it.
#[test]
fn a_source_is_a_row_and_its_translator() {
    for (word, translator) in [
        ("Source::Image", "init/src/steps/image/defaults.rs"),
        ("Source::Initramfs", "init/plan/src/facts.rs"),
        ("Source::Url", "init/src/steps/network/settings.rs"),
        ("Source::Config", "init/src/steps/devices/config.rs"),
        ("Store::FwCfg", "init/src/steps/devices/credentials.rs"),
        ("Store::Smbios", "init/plan/src/smbios.rs"),
    ] {
        let mut files = files_with(word);
        files.retain(|file| file != "init/plan/src/source.rs");
        assert_eq!(files, [translator], "{word}");
    }
}
