//! How many places of the source a new setting touches, counted on those that are there: a field with its default in
//! `settings/wanted`, and an entry in `settings/table/keys.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use dayfly_plan::settings::table::keys::KEYS;

fn settings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings")
}

/// Every file below a folder, by its path in it, and its text without its tests.
fn files(folder: &Path) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut paths = Vec::new();
    walk(folder, &mut paths);
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        (path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), product)
    };
    paths.iter().map(read).collect()
}

/// The field that a setting's entry in the table names: `"image.stall", Image, Plain, Seconds => (image_stall),`.
fn field<'a>(table: &'a str, name: &str) -> Option<&'a str> {
    let (_, entry) =
        table.split_once(&format!("    \"{name}\", ")).unwrap_or_else(|| panic!("{name} has no entry"));
    let (_, slot) = entry.split_once("=> ").expect("an entry names a field");
    let path = slot.strip_prefix(['(', '['])?.split([')', ']']).next()?;
    path.rsplit('.').next()
}

/// Settings that something else of the settings says by name, and why.
const ALSO: &[(&str, &str)] = &[
    // A node runs one of them: the message names those that were asked for.
    ("kubelet.enabled", "gather/mod.rs"),
    ("k0s.role", "gather/mod.rs"),
    ("k3s.role", "gather/mod.rs"),
    // An anchor has the name of its first setting.
    ("image.sha256", "table/class.rs"),
    ("kubelet.ca", "table/class.rs"),
    // The kernel's word for the same.
    ("init", "table/parameters.rs"),
    // A condition of rules, a variable and two words of the command line are called so as well.
    ("hostname", "gather/file.rs"),
    ("hostname", "gather/rules.rs"),
    ("hostname", "shown/schema.rs"),
    ("hostname", "table/parameters.rs"),
    ("hostname", "value/template.rs"),
];

#[test]
fn a_setting_touches_two_places() {
    let files = files(&settings());
    let text = |name: &str| &files.iter().find(|(path, _)| path == name).expect(name).1;
    let mut counted = 0;
    for key in KEYS {
        // image.url and image.device are one field, git is a field of another setting.
        let Some(field) = field(text("table/keys.rs"), key.name) else { continue };
        counted += 1;
        let home = match key.name.split_once('.') {
            Some((part @ ("kubelet" | "k0s" | "k3s"), _)) => format!("wanted/{part}.rs"),
            _ => "wanted/mod.rs".to_owned(),
        };
        let declared =
            |text: &str| text.lines().filter(|line| line.starts_with(&format!("    pub {field}: "))).count();
        let default = format!("            {field}: ");
        let defaults = text(&home).lines().filter(|line| line.starts_with(&default)).count();
        assert_eq!(
            (declared(text(&home)), defaults),
            (1, 1),
            "{}: a field and its default in {home}",
            key.name
        );
        let mut named: BTreeSet<&str> = files
            .iter()
            .filter(|(_, text)| text.contains(&format!("\"{}\"", key.name)))
            .map(|(path, _)| path.as_str())
            .collect();
        for (_, path) in ALSO.iter().filter(|(name, _)| *name == key.name) {
            assert!(named.remove(path), "{} is not named in {path} any more", key.name);
        }
        assert_eq!(named, BTreeSet::from(["table/keys.rs"]), "{}: its one entry", key.name);
    }
    assert!(counted > 60, "only {counted} settings were counted");
}
