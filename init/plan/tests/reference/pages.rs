//! All pages: the plans in them, and the targets of their links.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use dayfly_plan::settings::gather;
use dayfly_plan::{Facts, Plan, plan};

use super::{page, read, root};

/// Every page, including the README.
fn pages() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let entries =
            fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["docs", "dracut-module", "qemu"] {
        walk(&root().join(folder), &mut found);
    }
    found.extend(
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(|name| root().join(name)),
    );
    found.sort();
    assert!(found.len() > 20, "only {} pages were found", found.len());
    found
}

/// The narrow form of a plan's table: a page does not have two hundred columns.
fn narrow(plan: &Plan) -> Vec<String> {
    const WHAT: usize = 62;
    let line = |step: &str, what: &str, within: &str, then: &str| {
        format!("{step:<11} {what:<WHAT$} {within:<10} {then}").trim_end().to_owned()
    };
    let mut lines = vec![line("step", "what", "deadline", "failure")];
    for row in plan.rows() {
        let mut parts = vec![String::new()];
        for word in row.action.split(' ') {
            let part = parts.last_mut().unwrap();
            if part.is_empty() {
                part.push_str(word);
            } else if part.chars().count() + word.chars().count() >= WHAT {
                parts.push(word.to_owned());
            } else {
                part.extend([" ", word]);
            }
        }
        // Keep only "fail", "retry" or "go on", without the time or the reason.
        let then = row.on_failure.split([':', ',']).next().unwrap();
        let then = then.split(" for ").next().unwrap();
        for (index, part) in parts.iter().enumerate() {
            let (step, within, then) =
                if index == 0 { (row.step, row.deadline.as_str(), then) } else { ("", "", "") };
            lines.push(line(step, part, within, then));
        }
    }
    lines
}

/// Plans in pages: `<!-- plan of: CMDLINE -->` or `<!-- narrow plan of: CMDLINE -->`, then a block of text.
#[test]
fn plans_in_pages() {
    let mut plans = 0;
    for path in pages() {
        let text = read(&path);
        let mut wanted = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            writeln!(wanted, "{line}").unwrap();
            let marked = |mark: &str| line.strip_prefix(mark).and_then(|rest| rest.strip_suffix(" -->"));
            let (whole, short) = (marked("<!-- plan of: "), marked("<!-- narrow plan of: "));
            let Some(cmdline) = whole.or(short) else { continue };
            assert_eq!(
                lines.next(),
                Some("```text"),
                "{}: a plan's block starts with ```text",
                path.display()
            );
            assert!(lines.any(|line| line == "```"), "{}: a plan's block ends with ```", path.display());
            let facts = Facts::from_cmdline(cmdline);
            let (settings, problems) = gather(&facts);
            assert!(problems.is_empty(), "{}: {problems:?}", path.display());
            let plan = plan(&settings, &facts.discovered);
            let table = if short.is_some() { narrow(&plan).join("\n") } else { plan.to_string() };
            let table: Vec<&str> = table.lines().map(str::trim_end).collect();
            write!(wanted, "```text\n{}\n```\n", table.join("\n")).unwrap();
            plans += 1;
        }
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        if wanted != text {
            page(name, &wanted);
        }
    }
    assert!(plans > 1, "only {plans} plans were found in the pages");
}

/// The anchor that GitHub and most other renderers generate for a heading.
fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() })
        .collect()
}

fn anchors(page: &Path) -> BTreeSet<String> {
    let mut in_block = false;
    let text = read(page);
    let headings = text.lines().filter(|line| {
        in_block ^= line.starts_with("```");
        !in_block && line.starts_with('#')
    });
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    let mut links = 0;
    for path in pages() {
        let text = read(&path);
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let is_there = file.exists() && (place.is_empty() || anchors(&file).contains(place));
            if !is_there {
                broken.push(format!("{}: {target}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(links > 50, "only {links} links were found");
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}
