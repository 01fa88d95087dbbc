//! The documentation says what the tables say. Pages that are made from a table are compared with it, as are the plans
//! that pages show, the fields of boot.json, and where links lead. `DAYFLY_BLESS=1 cargo test -p dayfly-plan --test
//! reference` writes the pages anew.

mod contents;
mod endings;
mod layout;
mod malformed;
mod network;
mod pages;
mod parameters;
mod settings;
mod steps;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use dayfly_plan::Code;

const HOW: &str =
    "run `DAYFLY_BLESS=1 cargo test -p dayfly-plan --test reference`, look at the difference and commit it";
const MADE: &str = "<!-- Made from init/plan by `DAYFLY_BLESS=1 cargo test -p dayfly-plan --test reference`; change the table there. -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Compares a page with its wanted text, or writes it.
fn page(name: &str, wanted: &str) {
    let path = root().join(name);
    if std::env::var_os("DAYFLY_BLESS").is_some() {
        // Renamed into place: other tests read the page at the same time.
        let fresh = path.with_extension("md.new");
        let written = fs::write(&fresh, wanted).and_then(|()| fs::rename(&fresh, &path));
        written.unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
        return;
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(wanted.lines()).position(|(left, right)| left != right);
    let line = differs.unwrap_or_else(|| there.lines().count().min(wanted.lines().count())) + 1;
    assert!(there == wanted, "{name} differs from the tables of init/plan at line {line}: {HOW}");
}

/// Escapes the text of a table cell: a bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    if text == "-" { text.to_owned() } else { format!("`{}`", cell(text)) }
}

#[test]
fn errors_page() {
    let mut text = format!("{MADE}# Error codes\n\n");
    text.push_str(
        "A failed step shows what was tried, what went wrong (with the message of the kernel or the
server), how to fix it, and one of these codes. The codes are stable: scripts and alerts may rely on
them. They are on the failure screen, in the log and in [boot.json](boot-json.md). [A failed
boot](../how-to/failed-boot.md) explains what to do with a failed node.

Each code has a class, which says whether a retry can help. The plan's column *on failure* says what
the boot does. A step with a retry is retried after a *transient* failure and after one of *this
source*. After *this source*, the boot also returns to an earlier step with another choice (the
network's next interface), if the plan says so. After a *permanent* failure, the boot fails at once.
A code of `config.*` may also be that of a warning, about a parameter or setting that is not used; the boot then
goes on.
",
    );
    let mut area = "";
    for item in Code::ALL {
        let (of, _) = item.as_str().split_once('.').expect("a code has an area");
        if of != area {
            area = of;
            writeln!(text, "\n## {area}\n\n| code | class | meaning | what helps |\n|---|---|---|---|")
                .unwrap();
        }
        writeln!(
            text,
            "| `{item}` | {} | {} | {} |",
            item.class().name(),
            cell(item.meaning()),
            cell(item.advice())
        )
        .unwrap();
    }
    page("docs/reference/errors.md", &text);
}
