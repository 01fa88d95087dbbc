//! The node's name from systemd's parameter and credential, which count besides `hostname`.

use dayfly_formats::cmdline::{Cmdline, same_key};

use super::problems::Problems;
use super::userinfo;
use crate::settings::table::slot::put;
use crate::settings::value::HostName;
use crate::settings::wanted::Settings;
use crate::{Code, Facts, Problem, Severity, Source};

/// The parameter from which the OS's systemd takes its host name, before `/etc/hostname` (systemd(1)).
const WORD: &str = "systemd.hostname";

/// `system.hostname` is systemd's credential for the host name. It counts if there is no `dayfly.hostname`. A problem
/// with its value is only a warning, because it may not be meant for Dayfly.
pub(super) fn by_credential(settings: &mut Settings, facts: &Facts, problems: &mut Problems) {
    let named = |name: &str| facts.credentials.iter().rev().find(|(_, one)| one.name == name);
    if let (Some((store, credential)), None) = (named("system.hostname"), named("dayfly.hostname")) {
        let source = Source::Credential(*store, credential.name.clone());
        let text = credential.value.expose().trim();
        match text.parse() {
            Ok(name) => put(&mut settings.hostname, name, &source),
            Err(reason) => {
                let text = userinfo::hide(&format!("system.hostname: {reason}."), text);
                problems.push(warning(Code::ConfigValue, source, text));
            }
        }
    }
}

/// `systemd.hostname=` takes precedence over every other parameter: the OS's systemd uses it regardless of /etc, and
/// the node must not have two names. A problem with its value was reported when the parameter was read.
pub(super) fn by_word(settings: &mut Settings, cmdline: &Cmdline, problems: &mut Problems) {
    let mut words = cmdline.words().iter().rev().filter(|word| same_key(&word.key, WORD));
    let Some(name) = words.find_map(|word| word.value.as_deref()?.parse::<HostName>().ok()) else { return };
    let source = Source::Cmdline(format!("{WORD}="));
    if let Some(other) = &settings.hostname
        && let Source::Cmdline(key) = &other.source
        && other.value != name
    {
        let text = format!(
            "{WORD}={name}: it takes precedence over {key}{}, because the OS's systemd takes its host name from it; give only one name.",
            other.value
        );
        problems.push(warning(Code::ConfigValue, source.clone(), text));
    }
    put(&mut settings.hostname, name, &source);
}

fn warning(code: Code, source: Source, text: String) -> Problem {
    Problem { severity: Severity::Warn, code, source, text }
}
