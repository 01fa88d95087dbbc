//! `--help` and docs/reference/commands.md have the same options.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn help(args: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_dayfly")).args(args).output().expect("the binary was built");
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The help of a command and of the commands below it.
fn help_with_subcommands(command: &[&str]) -> String {
    let mut text = help(&[command, &["--help"]].concat());
    let below: Vec<String> = subcommands(&text).map(|(name, _)| name.to_owned()).collect();
    for name in &below {
        text += &help_with_subcommands(&[command, &[name]].concat());
    }
    text
}

/// The commands in a help text, and what it says about each.
fn subcommands(help: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.trim().split_once(' ')).filter(|(name, _)| *name != "help")
}

/// The `--options` in a text.
fn options<'a>(words: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    words
        .filter_map(|word| word.strip_prefix("--"))
        .map(|word| word.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect())
        .filter(|name: &String| !name.is_empty() && name != "help")
        .collect()
}

#[test]
fn the_page_has_every_command_and_option() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/commands.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let all = help(&["--help"]);
    let commands: Vec<(&str, &str)> = subcommands(&all).collect();
    assert!(commands.len() >= 6, "{all}");
    for (name, about) in commands {
        let verb = about.split_whitespace().next().unwrap_or_default();
        assert!(
            verb.ends_with('s'),
            "{name}: \"{about}\" does not begin like the others: Builds, Draws, Shows"
        );
        let heading = format!("\n## dayfly {name}\n");
        let section = page.split_once(&heading).unwrap_or_else(|| panic!("no section{heading}")).1;
        let section = section.split("\n## ").next().unwrap_or_default();
        let told = options(section.split(['`', ' ', '\n']));
        let text = help_with_subcommands(&[name]);
        let there = options(text.lines().flat_map(|line| line.trim_start().split(", ")));
        assert_eq!(told, there, "options of dayfly {name}: left in the page, right in its help");
    }
}
