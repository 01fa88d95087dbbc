//! The blocks of shell commands in the documentation. A block without a title runs as it is written, on the build machine.
//! A title (```` ```sh title="on the Proxmox host" ````) names another place for it.

use std::fs;
use std::path::{Path, PathBuf};

/// A block of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The page, from the checkout's folder.
    pub page: String,
    /// The line where it begins.
    pub line: usize,
    /// The place where it runs; `None` for the build machine.
    pub title: Option<String>,
    /// The commands.
    pub text: String,
}

/// The checkout's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the checkout")
}

/// The pages whose commands are run: the tutorial and the how-tos, in order.
pub fn pages() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["docs/how-to", "docs/tutorial"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            found.push(format!("{folder}/{name}"));
        }
    }
    found.sort();
    found
}

/// The blocks of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    parse(page, &text)
}

/// The one block of a page with that title.
pub fn block(page: &str, title: &str) -> Block {
    let mut found: Vec<Block> =
        blocks(page).into_iter().filter(|block| block.title.as_deref() == Some(title)).collect();
    assert_eq!(found.len(), 1, "blocks of {page} with the title {title:?}");
    found.remove(0)
}

/// The blocks of a page's text.
pub fn parse(page: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, opening)) = lines.next() {
        let fence = opening.trim_start();
        let Some(info) = fence.strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        // A block in a list has the indentation of its item.
        let indent = opening.len() - fence.len();
        let mut body = String::new();
        for (_, line) in lines.by_ref() {
            if line.trim() == "```" {
                break;
            }
            body.push_str(line.get(indent..).unwrap_or_default());
            body.push('\n');
        }
        let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
        if language == "sh" {
            let title = rest.strip_prefix("title=\"").and_then(|rest| rest.strip_suffix('"'));
            assert!(rest.is_empty() || title.is_some(), "{page}: line {}: {opening}", index + 1);
            found.push(Block {
                page: page.to_owned(),
                line: index + 1,
                title: title.map(str::to_owned),
                text: body,
            });
        }
    }
    found
}
