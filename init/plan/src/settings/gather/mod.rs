//! From the facts to the settings: all sources in order, the weakest first.

mod depth;
mod file;
mod gathered;
mod key;
mod names;
mod near;
mod problems;
pub mod rules;
mod signed;
pub mod trust;
mod userinfo;
mod words;

use dayfly_formats::cmdline::Cmdline;

pub use self::gathered::Gathered;
use self::key::apply_key;
use self::problems::{Problems, refuse};
use self::rules::Subject;
use self::trust::Floor;
use super::table::groups;
use super::value::Trust;
use super::wanted::Settings;
use crate::source::CREDENTIAL_FILE;
use crate::{Credential, Document, Facts, Place, Problem, SettingsFile, Source, Sourced, Stage, Store};

/// Gathers the settings. Problems do not stop it: usable values are used, and the others are reported.
pub fn gather(facts: &Facts) -> (Gathered, Vec<Problem>) {
    let nameless = gather_for(facts, None);
    if !nameless.0.asked.name {
        return nameless;
    }
    // Rules with a `hostname` condition cannot set the name. They are matched with the name that the other settings
    // give.
    match (&nameless.0.hostname, &facts.discovered.machine.network_name) {
        (Some(name), _) => gather_for(facts, Some((name.value.as_str(), Stage::Network))),
        (None, Some(name)) => gather_for(facts, Some((name.as_str(), Stage::Image))),
        (None, None) => nameless,
    }
}

/// The most trusted sources decide trust in a first pass. The second pass applies all sources with that result.
fn gather_for(facts: &Facts, name: Option<(&str, Stage)>) -> (Gathered, Vec<Problem>) {
    let (first, _) = collect(facts, name, Place::Firmware, Floor::default());
    let policy = |trust: &Sourced<Trust>| (trust.value, trust.source.clone());
    let floor = first.floor.clone().with(policy(&first.settings_trust), policy(&first.config_trust));
    collect(facts, name, Place::Default, floor)
}

/// Gathers the settings of all sources up to `last` in the order of trust.
fn collect(
    facts: &Facts,
    name: Option<(&str, Stage)>,
    last: Place,
    floor: Floor,
) -> (Gathered, Vec<Problem>) {
    let mut gathered = Gathered { floor, ..Gathered::default() };
    let mut problems = Problems::default();
    let subject = Subject { machine: &facts.discovered.machine, name };
    let mut files: Vec<&SettingsFile> =
        facts.files.iter().filter(|file| file.source.place() <= last).collect();
    files.sort_by_key(|file| file.source.rank());
    for file in files {
        file::apply(&mut gathered, file, &subject, &mut problems);
    }
    names::by_credential(&mut gathered.settings, facts, &mut problems);
    for (store, credential) in &facts.credentials {
        apply_credential(&mut gathered, *store, credential, &subject, &mut problems);
    }
    let cmdline = Cmdline::parse(&facts.cmdline);
    for word in cmdline.words() {
        let source = Source::Cmdline(format!("{}=", word.key));
        let value = word.value.as_deref();
        if let Some(name) = ours(&word.key) {
            // `dayfly.debug` without a value means yes.
            apply_key(&mut gathered, &name, Some(value.unwrap_or("1")), &source, &mut problems);
        } else {
            words::apply(&mut gathered, facts.discovered.way, &word.key, value, &source, &mut problems);
        }
    }
    names::by_word(&mut gathered.settings, &cmdline, &mut problems);
    gathered.init_args = cmdline.handed_to_init();
    gathered.cgroup_v1 = words::cgroup_v1(&cmdline);
    problems.extend(rivals(&gathered.settings));
    let may_grow = gathered.asked.macs || gathered.asked.name;
    problems.extend(signed::check(&gathered.settings, facts.discovered.way, may_grow));
    (gathered, problems.into_vec())
}

/// A node runs only one of them: two would compete for the same ports, directories and control groups.
fn rivals(settings: &Settings) -> Option<Problem> {
    let (kubelet, k0s, k3s) = (&settings.kubelet.enabled, &settings.k0s.role, &settings.k3s.role);
    let wanted: Vec<(&str, &Source)> = [
        kubelet.value.then_some(("kubelet.enabled", &kubelet.source)),
        k0s.value.map(|_| ("k0s.role", &k0s.source)),
        k3s.value.map(|_| ("k3s.role", &k3s.source)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let [_, .., (_, source)] = wanted.as_slice() else { return None };
    let names: Vec<String> = wanted.iter().map(|(name, source)| format!("{name} ({source})")).collect();
    Some(refuse(source, format!("{}: a node runs only one of kubelet, k0s and k3s.", names.join(" and "))))
}

/// `dayfly.toml` is a complete settings file, `dayfly.NAME` is one setting. All others belong to the OS.
fn apply_credential(
    gathered: &mut Gathered,
    store: Store,
    credential: &Credential,
    subject: &Subject<'_>,
    problems: &mut Problems,
) {
    let source = Source::Credential(store, credential.name.clone());
    let text = credential.value.expose();
    if credential.name == CREDENTIAL_FILE {
        let file = SettingsFile { source, document: Document(text.to_owned()) };
        file::apply(gathered, &file, subject, problems);
    } else if let Some(name) = ours(&credential.name) {
        // A value that comes from a file with one line ends with a newline.
        let line = text.strip_suffix('\n').filter(|line| !line.contains('\n'));
        apply_key(gathered, &name, Some(line.unwrap_or(text)), &source, problems);
    }
}

/// The setting's name in a `dayfly.NAME` parameter. The kernel treats `-` and `_` as equal, but in the entry names of a
/// group they differ.
fn ours(key: &str) -> Option<String> {
    key.strip_prefix("dayfly.").map(|name| match groups::find(name) {
        Some(_) => name.to_owned(),
        None => name.replace('-', "_"),
    })
}
