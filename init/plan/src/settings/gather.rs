//! From the facts to the settings: every source in its turn, the weakest first.

use dayfly_wire::cmdline::Cmdline;

use super::problems::Problems;
use super::rules::Known;
use super::trust::{self, Floor, Wish};
use super::{Settings, file, groups, keys, names, nearest, parameters, userinfo};
use crate::source::{CREDENTIAL_FILE, private_places};
use crate::{
    Code, Credential, Document, Facts, Layer, Place, Problem, Severity, Source, Sourced, Stage, Store,
};

/// What is wrong with a list for a setting that gathers nothing.
pub(super) const ONE_VALUE: &str = "it takes one value, and this is a list";

/// Gathers the settings. Problems do not stop it: what can be used is used, and the rest is said.
pub fn gather(facts: &Facts) -> (Settings, Vec<Problem>) {
    let nameless = gather_for(facts, None);
    if !nameless.0.asked.name {
        return nameless;
    }
    // Rules that ask for the name cannot set it: what the others make of it is what they are asked with.
    match (&nameless.0.hostname, &facts.machine.network_name) {
        (Some(name), _) => gather_for(facts, Some((name.value.as_str(), Stage::Network))),
        (None, Some(name)) => gather_for(facts, Some((name.as_str(), Stage::Image))),
        (None, None) => nameless,
    }
}

/// The places that come first in trust settle what decides it; then all places are taken in, on that floor.
fn gather_for(facts: &Facts, name: Option<(&str, Stage)>) -> (Settings, Vec<Problem>) {
    let (first, _) = collect(facts, name, Place::Firmware, Floor::default());
    let policy = |trust: &Sourced<trust::Trust>| (trust.value, trust.source.clone());
    let floor = first.floor.clone().with(policy(&first.settings_trust), policy(&first.config_trust));
    collect(facts, name, Place::Default, floor)
}

/// What the places up to `last` in the order of trust say.
fn collect(
    facts: &Facts,
    name: Option<(&str, Stage)>,
    last: Place,
    floor: Floor,
) -> (Settings, Vec<Problem>) {
    let mut settings =
        Settings { way: facts.way, machine: facts.machine.clone(), floor, ..Settings::default() };
    let mut problems = Problems::default();
    let known = Known { machine: &facts.machine, name };
    let mut layers: Vec<&Layer> = facts.layers.iter().filter(|layer| layer.source.place() <= last).collect();
    layers.sort_by_key(|layer| layer.source.rank());
    for layer in layers {
        file::apply(&mut settings, layer, &known, &mut problems);
    }
    names::by_credential(&mut settings, facts, &mut problems);
    for (store, credential) in &facts.credentials {
        apply_credential(&mut settings, *store, credential, &known, &mut problems);
    }
    let cmdline = Cmdline::parse(&facts.cmdline);
    for word in cmdline.words() {
        let source = Source::Cmdline(format!("{}=", word.key));
        let value = word.value.as_deref();
        if let Some(name) = ours(&word.key) {
            // A bare `dayfly.debug` is a yes.
            apply_key(&mut settings, &name, Some(value.unwrap_or("1")), &source, &mut problems);
        } else {
            parameters::apply(&mut settings, &word.key, value, &source, &mut problems);
        }
    }
    names::by_word(&mut settings, &cmdline, &mut problems);
    settings.init_args = cmdline.handed_to_init();
    problems.extend(rivals(&settings));
    (settings, problems.into_vec())
}

/// A node runs one of them: they would fight for the same ports, folders and control groups.
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

/// `dayfly.toml` is a whole settings file, `dayfly.NAME` one setting; all others are the OS's.
fn apply_credential(
    settings: &mut Settings,
    store: Store,
    credential: &Credential,
    known: &Known<'_>,
    problems: &mut Problems,
) {
    let source = Source::Credential(store, credential.name.clone());
    let text = credential.value.expose();
    if credential.name == CREDENTIAL_FILE {
        let layer = Layer { source, document: Document(text.to_owned()) };
        file::apply(settings, &layer, known, problems);
    } else if let Some(name) = ours(&credential.name) {
        // A value that was a file of one line ends with that line's end.
        let line = text.strip_suffix('\n').filter(|line| !line.contains('\n'));
        apply_key(settings, &name, Some(line.unwrap_or(text)), &source, problems);
    }
}

/// The setting's name in a `dayfly.NAME` parameter; `-` and `_` are one to the kernel, but not in the names that a
/// group's entries have.
fn ours(key: &str) -> Option<String> {
    key.strip_prefix("dayfly.").map(|name| match groups::find(name) {
        Some(_) => name.to_owned(),
        None => name.replace('-', "_"),
    })
}

/// Sets one key from its text, or says what is wrong with it. Without a text it is an empty list, which drops the values of
/// lower places.
pub(super) fn apply_key(
    settings: &mut Settings,
    name: &str,
    text: Option<&str>,
    source: &Source,
    problems: &mut Problems,
) {
    let shown = match source {
        Source::Cmdline(_) => format!("dayfly.{name}="),
        _ => name.to_owned(),
    };
    let mut take = |entry, class, stage, secret, set: &dyn Fn(&mut Settings) -> Result<(), String>| {
        let wish = Wish { shown: &shown, entry, class, text, source };
        let taken = admit(&shown, stage, secret, source).and_then(|()| settings.floor.admit(&wish)).and_then(
            |is_new| {
                if !is_new {
                    return Ok(());
                }
                set(settings).map(|()| settings.floor.own(&wish)).map_err(|reason| {
                    let message = format!("{}: {reason}.", written(&shown, text, secret));
                    refuse(source, userinfo::hide(&message, text.unwrap_or_default()))
                })
            },
        );
        // What is refused of a whole list is said once.
        problems.extend(taken.err().filter(|problem| {
            problem.code != Code::ConfigTrust || problems.last().is_none_or(|last| last.text != problem.text)
        }));
    };
    if let Some((group, rest)) = groups::find(name) {
        match group.entry(rest) {
            Ok((entry, field)) => {
                let class = match field.name {
                    "" => trust::class(group.name),
                    name => trust::class(&format!("{}.{name}", group.name)),
                };
                take(Some(entry), class, field.stage, field.secret, &|settings| match (text, field.clear) {
                    (Some(text), _) => (field.set)(settings, entry, text, source),
                    (None, Some(clear)) => clear(settings, entry),
                    (None, None) => Err(ONE_VALUE.to_owned()),
                });
            }
            Err(reason) => problems.push(refuse(source, format!("{shown}: {reason}."))),
        }
        return;
    }
    if let Some(key) = keys::find(name) {
        take(None, trust::class(key.name), key.stage, key.secret, &|settings| match (text, key.clear) {
            (Some(text), _) => (key.set)(settings, text, source),
            (None, Some(clear)) => {
                clear(settings);
                settings.emptied.insert(key.name, source.clone());
                Ok(())
            }
            (None, None) => Err(ONE_VALUE.to_owned()),
        });
        return;
    }
    // What is only counted needs no hint.
    let meant = (!problems.is_full(source)).then(|| nearest(name, keys::names().chain(groups::names())));
    let hint = match meant.flatten() {
        Some(meant) => format!("did you mean {}?", shown.replace(name, meant)),
        None => "docs/reference/settings.md lists all settings.".to_owned(),
    };
    problems.push(Problem {
        severity: Severity::Warn,
        code: Code::ConfigUnknown,
        source: source.clone(),
        text: format!("{shown} is not a setting of Dayfly; {hint}"),
    });
}

/// A setting and its value for a message; a secret's value never is in one, and a whole text is not for one.
fn written(shown: &str, text: Option<&str>, secret: bool) -> String {
    let Some(text) = text.filter(|_| !secret) else { return shown.to_owned() };
    match shown {
        _ if text.contains('\n') => format!("{shown} ({} bytes)", text.len()),
        parameter if parameter.ends_with('=') => format!("{parameter}{text}"),
        name => format!("{name} = {text}"),
    }
}

/// Whether this source may set a setting of that stage.
fn admit(shown: &str, stage: Stage, secret: bool, source: &Source) -> Result<(), Problem> {
    if secret && !source.is_private() {
        return Err(Problem {
            severity: Severity::Refuse,
            code: Code::ConfigSecret,
            source: source.clone(),
            text: format!(
                "{shown} is a secret, but others can read it where it stands ({source}); it is taken from {} only.",
                private_places()
            ),
        });
    }
    if source.stage() > stage {
        return Err(Problem {
            severity: Severity::Warn,
            code: Code::ConfigTooLate,
            source: source.clone(),
            text: format!(
                "{shown} comes too late to be used: it is needed before {}, and {source} is read after that.",
                stage.moment()
            ),
        });
    }
    Ok(())
}

pub(super) fn refuse(source: &Source, text: String) -> Problem {
    Problem { severity: Severity::Refuse, code: Code::ConfigValue, source: source.clone(), text }
}
