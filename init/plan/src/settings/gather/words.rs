//! Kernel parameters that other projects document.

use dayfly_formats::cmdline::{Cmdline, same_key};

use super::gathered::Gathered;
use super::near;
use super::problems::Problems;
use super::userinfo;
use crate::settings::table::foreign::{self, Where};
use crate::settings::table::parameters::{PARAMETERS, Weight};
use crate::settings::value::{Value, YesNo};
use crate::{Code, Problem, Severity, Source, Way};

/// Applies a parameter if Dayfly knows it.
pub(super) fn apply(
    gathered: &mut Gathered,
    way: Way,
    key: &str,
    value: Option<&str>,
    source: &Source,
    problems: &mut Problems,
) {
    let Some(parameter) = PARAMETERS.iter().find(|parameter| same_key(parameter.name, key)) else {
        return name(way, key, value, source, problems);
    };
    let shown =
        value.map_or_else(|| parameter.name.to_owned(), |value| format!("{}={value}", parameter.name));
    let said = |reason: String| userinfo::hide(&format!("{shown}: {reason}."), value.unwrap_or_default());
    if parameter.except == Some(way) {
        return;
    }
    match (parameter.set)(&mut gathered.settings, value, source) {
        Ok(None) => {}
        Ok(Some(note)) => problems.push(Problem {
            severity: Severity::Warn,
            code: Code::ConfigUnsupported,
            source: source.clone(),
            text: said(note),
        }),
        Err(reason) => problems.push(Problem {
            severity: if parameter.weight == Weight::Essential { Severity::Refuse } else { Severity::Warn },
            code: Code::ConfigValue,
            source: source.clone(),
            text: said(reason),
        }),
    }
}

/// Reports an unsupported parameter, once per table row, or one that seems to be a misspelled parameter of the network. The message
/// never contains its value, because some parameters hold passwords.
fn name(way: Way, key: &str, value: Option<&str>, source: &Source, problems: &mut Problems) {
    let row = foreign::find(key);
    // The row of all other names that begin with rd.net. says less than the name that is meant. On a mounted root, the network is up
    // already.
    if value.is_some()
        && way != Way::Root
        && row.is_none_or(|row| row.names == ["rd.net.*"])
        && let Some(problem) = near::misspelled(key, source)
    {
        return problems.push(problem);
    }
    let Some(row) = row else { return };
    let is_here = way == Way::Initramfs || way == Way::Dracut && row.named == Where::Both;
    // A feature that is switched off is not missing.
    let is_off = YesNo::read(value.unwrap_or("1")) == Ok(false);
    if !is_here || is_off {
        return;
    }
    let (what, whose, instead) = (row.what, row.whose, row.instead);
    let said = format!(" asks for {what} ({whose}), which Dayfly does not support: {instead}.");
    if problems.has_ending(&said) {
        return;
    }
    let key: String = key.chars().take(64).flat_map(char::escape_debug).collect();
    let equals = if value.is_some() { "=" } else { "" };
    problems.push(Problem {
        severity: Severity::Warn,
        code: Code::ConfigUnsupported,
        source: source.clone(),
        text: format!("{key}{equals}{said}"),
    });
}

/// systemd's parameter for the cgroup version (systemd(1)), if it requests v1. The last one counts.
pub(super) fn cgroup_v1(cmdline: &Cmdline) -> Option<String> {
    let word = cmdline.last("systemd.unified_cgroup_hierarchy")?;
    let value = word.value.as_deref()?;
    ["0", "no", "n", "false", "f", "off"].contains(&value).then(|| format!("{}={value}", word.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_no_asks_for_version_1() {
        let word = "systemd.unified_cgroup_hierarchy";
        for (cmdline, is_asked) in [
            ("quiet".to_owned(), false),
            (word.to_owned(), false),
            (format!("{word}=1"), false),
            (format!("{word}=0"), true),
            (format!("{word}=false quiet"), true),
            (format!("{word}=0 {word}=1"), false),
        ] {
            assert_eq!(cgroup_v1(&Cmdline::parse(&cmdline)).is_some(), is_asked, "{cmdline}");
        }
    }
}
