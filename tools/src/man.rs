//! The manual pages, generated from the texts of `--help`. `DAYFLY_BLESS=1 cargo test -p dayfly-tools man` writes them; the
//! Debian package contains them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::CommandFactory;

use crate::Cli;

/// The pages of a folder, by their names.
fn pages(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).expect("a folder of pages");
    let pages = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("a page"))
    });
    pages.collect()
}

#[test]
fn manual_pages_say_what_help_says() {
    let there = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let fresh = tempfile::tempdir().expect("a folder");
    clap_mangen::generate_to(Cli::command(), fresh.path()).expect("pages");
    let wanted = pages(fresh.path());
    assert!(
        wanted.contains_key("dayfly.1") && wanted.contains_key("dayfly-explain.1"),
        "{:?}",
        wanted.keys()
    );
    if std::env::var_os("DAYFLY_BLESS").is_some() {
        let _ = fs::remove_dir_all(&there);
        fs::create_dir(&there).expect("the folder of the pages");
        for (name, text) in &wanted {
            fs::write(there.join(name), text).expect("a page");
        }
    }
    assert!(
        pages(&there) == wanted,
        "tools/man differs from --help: run `DAYFLY_BLESS=1 cargo test -p dayfly-tools man` and commit it"
    );
}
