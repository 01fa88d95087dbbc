//! The structure of the source code. It counts the places that a setting touches: a field with its default in
//! `settings/wanted`, and an entry in `settings/table/keys.rs`. It also checks the dependencies: the folders of the
//! settings are ordered, and no two modules use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use dayfly_plan::settings::table::keys::KEYS;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file below a folder, with its path relative to the folder, and its text without its tests.
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

/// The field in a setting's entry of the table: `"image.stall", Image, Plain, Seconds => (image_stall),`.
fn field<'a>(table: &'a str, name: &str) -> Option<&'a str> {
    let (_, entry) =
        table.split_once(&format!("    \"{name}\", ")).unwrap_or_else(|| panic!("{name} has no entry"));
    let (_, slot) = entry.split_once("=> ").expect("an entry names a field");
    let path = slot.strip_prefix(['(', '['])?.split([')', ']']).next()?;
    path.rsplit('.').next()
}

/// Settings whose name also occurs elsewhere in the settings code, with the file.
const ALSO: &[(&str, &str)] = &[
    // A node runs only one of them: the message names the requested ones.
    ("kubelet.enabled", "gather/mod.rs"),
    ("k0s.role", "gather/mod.rs"),
    ("k3s.role", "gather/mod.rs"),
    // An anchor has the name of its first setting.
    ("image.sha256", "table/class.rs"),
    ("image.keys", "table/class.rs"),
    ("image.threshold", "table/class.rs"),
    // They decide which other settings name an image that can be booted: the message names the one that is set.
    ("image.keys", "gather/signed.rs"),
    ("image.threshold", "gather/signed.rs"),
    ("kubelet.ca", "table/class.rs"),
    // The kernel's parameter with the same name.
    ("init", "table/parameters.rs"),
    // A condition of rules, a variable and two kernel parameters have the same name.
    ("hostname", "gather/file.rs"),
    ("hostname", "gather/rules.rs"),
    ("hostname", "shown/schema.rs"),
    ("hostname", "table/parameters.rs"),
    ("hostname", "value/template.rs"),
];

#[test]
fn a_setting_touches_two_places() {
    let files = files(&sources().join("settings"));
    let text = |name: &str| &files.iter().find(|(path, _)| path == name).expect(name).1;
    let mut counted = 0;
    for key in KEYS {
        // image.url and image.device are one field, git is a field of another setting.
        let Some(field) = field(text("table/keys.rs"), key.name) else { continue };
        counted += 1;
        let home = match key.name.split_once('.') {
            Some((part @ ("network" | "kubelet" | "k0s" | "k3s"), _)) => format!("wanted/{part}.rs"),
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
        assert_eq!(named, BTreeSet::from(["table/keys.rs"]), "{}: it must only have its entry", key.name);
    }
    assert!(counted > 60, "only {counted} settings were counted");
}

/// The folders of the settings. Each uses only those before it.
const STAGES: [&str; 5] = ["value", "wanted", "table", "gather", "shown"];

/// The names that a `use` imports, each with its full path.
fn flatten(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or(tree);
        found.extend((!name.is_empty()).then(|| format!("{prefix}{name}")));
        return;
    };
    let inside = rest.trim_end().strip_suffix('}').expect("braces close");
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                flatten(&format!("{prefix}{head}"), &inside[start..at.max(start)], found);
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The modules of the crate by their paths (`settings::value::url`), each with its imports.
fn modules() -> BTreeMap<String, Vec<String>> {
    let mut modules = BTreeMap::new();
    for (path, text) in files(&sources()) {
        let Some(name) = path.strip_suffix(".rs") else { continue };
        let name = name.strip_suffix("/mod").unwrap_or(name).replace('/', "::");
        let name = if name == "lib" { String::new() } else { name };
        let mut used = Vec::new();
        for statement in text.split(";\n") {
            let line = statement.lines().skip_while(|line| !is_use(line)).collect::<Vec<_>>().join(" ");
            if let Some((_, tree)) = line.split_once("use ") {
                flatten("", tree, &mut used);
            }
        }
        let above = name.rsplit_once("::").map_or("", |(above, _)| above);
        let whole = |path: &String| {
            let (base, rest) = match path.split_once("::").unwrap_or((path, "")) {
                ("crate", rest) => ("", rest),
                ("self", rest) => (name.as_str(), rest),
                ("super", rest) => (above, rest),
                // A child, or another crate.
                _ => (name.as_str(), path.as_str()),
            };
            if base.is_empty() { rest.to_owned() } else { format!("{base}::{rest}") }
        };
        modules.insert(name.clone(), used.iter().map(whole).collect());
    }
    modules
}

fn is_use(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ")
}

/// The module that defines the target of a path, through re-exports.
fn home(modules: &BTreeMap<String, Vec<String>>, path: &str, depth: usize) -> Option<String> {
    if modules.contains_key(path) {
        return Some(path.to_owned());
    }
    let (above, name) = path.rsplit_once("::").unwrap_or(("", path));
    let owner = home(modules, above, depth)?;
    let passed = modules[&owner].iter().find(|used| used.rsplit("::").next() == Some(name) && *used != path);
    match passed {
        Some(passed) if depth < 8 => home(modules, passed, depth + 1),
        _ => Some(owner),
    }
}

#[test]
fn settings_have_no_circles() {
    let modules = modules();
    let mut uses: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, paths) in &modules {
        // A parent that re-exports items of its children does not use them.
        let targets = paths.iter().filter_map(|path| home(&modules, path, 0));
        uses.insert(name, targets.filter(|target| target != name && !target.is_empty()).collect());
    }
    let stage = |name: &str| {
        let folder = name.strip_prefix("settings::")?.split("::").next()?;
        Some(
            STAGES
                .iter()
                .position(|stage| *stage == folder)
                .unwrap_or_else(|| panic!("{folder} is not in the list of folders")),
        )
    };
    let mut counted = 0;
    for (name, targets) in &uses {
        for target in targets {
            let (Some(from), Some(to)) = (stage(name), stage(target)) else { continue };
            counted += 1;
            assert!(to <= from, "{name} uses {target}, which comes after it");
        }
        let Some(_) = stage(name) else { continue };
        let mut open: Vec<(&str, Vec<&str>)> = vec![(*name, vec![*name])];
        let mut seen = BTreeSet::new();
        while let Some((at, way)) = open.pop() {
            for next in uses.get(at).into_iter().flatten() {
                let way: Vec<&str> = way.iter().copied().chain([next.as_str()]).collect();
                assert!(next != name, "a cycle: {}", way.join(" -> "));
                if seen.insert(next.as_str()) {
                    open.push((next, way));
                }
            }
        }
    }
    assert!(counted > 60, "only {counted} uses were found");
}
