//! The node's name in words of systemd's, which count beside `hostname`.

use dayfly_formats::cmdline::{Cmdline, same_key};

use super::problems::Problems;
use super::userinfo;
use crate::settings::table::slot::put;
use crate::settings::value::HostName;
use crate::settings::wanted::Settings;
use crate::{Code, Facts, Problem, Severity, Source};

/// The word that the OS's systemd takes its name from, before `/etc/hostname` (systemd(1)).
const WORD: &str = "systemd.hostname";

/// `system.hostname` is systemd's credential for the same thing, which counts where ours is not there. What is wrong with
/// it is only said: it may not have been meant for us.
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

/// `systemd.hostname=` wins over every other word: the OS's systemd goes by it whatever is in /etc, and two names would be
/// two nodes. What is wrong with its value was said with the parameter.
pub(super) fn by_word(settings: &mut Settings, cmdline: &Cmdline, problems: &mut Problems) {
    let mut words = cmdline.words().iter().rev().filter(|word| same_key(&word.key, WORD));
    let Some(name) = words.find_map(|word| word.value.as_deref()?.parse::<HostName>().ok()) else { return };
    let source = Source::Cmdline(format!("{WORD}="));
    if let Some(other) = &settings.hostname
        && let Source::Cmdline(key) = &other.source
        && other.value != name
    {
        let text = format!(
            "{WORD}={name}: it wins over {key}{}, because the OS's systemd takes its name from it; give one name.",
            other.value
        );
        problems.push(warning(Code::ConfigValue, source.clone(), text));
    }
    put(&mut settings.hostname, name, &source);
}

fn warning(code: Code, source: Source, text: String) -> Problem {
    Problem { severity: Severity::Warn, code, source, text }
}
