//! Hand-written pages that must be complete: fields of boot.json, dependencies, proofs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{read, root};

/// The fields of a struct that serde writes, from its source text.
fn fields(source: &str, name: &str) -> BTreeSet<String> {
    let head = format!("struct {name} {{");
    let (_, body) = source.split_once(&head).unwrap_or_else(|| panic!("there is no struct {name}"));
    let (body, _) = body.split_once("\n}").expect("a struct ends");
    let mut skipped = false;
    let mut found = BTreeSet::new();
    for line in body.lines().map(str::trim) {
        if line.starts_with("#[serde(skip)]") {
            skipped = true;
        } else if let Some((field, _)) = line.trim_start_matches("pub ").split_once(": ")
            && !line.starts_with("//")
        {
            if !skipped {
                found.insert(field.to_owned());
            }
            skipped = false;
        }
    }
    assert!(!found.is_empty(), "the struct {name} has no fields");
    found
}

#[test]
fn boot_json_page_has_every_field() {
    let record = read(&root().join("init/src/events/record.rs"));
    let table = read(&root().join("init/plan/src/table.rs"));
    let text = read(&root().join("docs/reference/boot-json.md"));
    let (_, example) = text.split_once("```json").expect("the page has an example");
    let (example, _) = example.split_once("```").expect("the example ends");
    for (heading, source, name) in [
        ("Top level", &record, "Record"),
        ("plan", &table, "Row"),
        ("absent", &table, "Absent"),
        ("node", &record, "NodeRow"),
        ("settings", &record, "Setting"),
        ("problems", &record, "ProblemRow"),
        ("steps", &record, "StepRow"),
        ("failure", &record, "FailureRow"),
    ] {
        let (_, section) =
            text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        let documented: BTreeSet<String> = section
            .lines()
            .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
            .collect();
        let written = fields(source, name);
        assert_eq!(
            documented, written,
            "docs/reference/boot-json.md, {heading}: left the page, right the struct {name}"
        );
        for field in &written {
            assert!(
                example.contains(&format!("\"{field}\":")),
                "the example of boot.json lacks {heading}.{field}"
            );
        }
    }
}

#[test]
fn dependencies_page_has_every_direct_dependency() {
    let text = read(&root().join("docs/dependencies.md"));
    let mut checked = 0;
    for manifest in ["init", "init/plan", "init/formats", "init/sys", "tools", "qemu", "tests", "tests/fuzz"]
        .map(|name| root().join(name).join("Cargo.toml"))
    {
        let manifest: toml::Table = read(&manifest).parse().unwrap();
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(table).and_then(|table| table.as_table()) else { continue };
            for name in table.keys().filter(|name| !name.starts_with("dayfly-")) {
                checked += 1;
                let is_there = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
                    .any(|cell| cell.split([',', ' ', '(']).any(|word| word == name));
                assert!(is_there, "docs/dependencies.md has no line for {name}");
            }
        }
    }
    assert!(checked > 30, "only {checked} dependencies were found");
}

/// The proofs that docs/explanation/trust.md names must exist.
#[test]
fn promises_name_tests_that_exist() {
    fn sources(folder: &Path, text: &mut String) {
        for entry in
            fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&read(&path));
            }
        }
    }
    let mut code = String::new();
    for folder in ["init", "tests/tests", "tools"] {
        sources(&root().join(folder), &mut code);
    }
    let text = read(&root().join("docs/explanation/trust.md"));
    let (_, section) = text.split_once("\n## Promises").expect("the page has promises");
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    let mut proofs = 0;
    for row in rows {
        let proof = row.rsplit(" | ").next().unwrap_or_default();
        for name in proof.split('`').skip(1).step_by(2) {
            proofs += 1;
            let is_there = if name.contains('/') {
                root().join(name.split(' ').next().unwrap_or_default()).exists()
            } else {
                code.contains(&format!("fn {name}(")) || code.contains(&format!("\"{name}\""))
            };
            assert!(is_there, "docs/explanation/trust.md names `{name}`, which does not exist");
        }
    }
    assert!(proofs > 15, "only {proofs} proofs were found");
}
