//! Sets one setting from its text: checks whether the source may set it, and reports what is wrong with the value.

use dayfly_formats::minisign::has_secret_key;
use dayfly_formats::nearest::within;

use super::gathered::Gathered;
use super::problems::{Problems, refuse};
use super::trust::Wish;
use super::userinfo;
use crate::settings::table::class::Class;
use crate::settings::table::{groups, keys};
use crate::settings::value::nearest;
use crate::source::private_places;
use crate::{Code, Place, Problem, Severity, Source, Stage};

/// The message for a list, if the setting takes one value.
pub(super) const ONE_VALUE: &str = "it takes one value, not a list";

/// Sets one key from its text, or reports what is wrong with it. No text means an empty list, which removes the values
/// of lower sources.
pub(super) fn apply_key(
    gathered: &mut Gathered,
    name: &str,
    text: Option<&str>,
    source: &Source,
    problems: &mut Problems,
) {
    let shown = match source {
        Source::Cmdline(_) => format!("dayfly.{name}="),
        _ => name.to_owned(),
    };
    let mut take = |entry, class, stage, secret, set: &dyn Fn(&mut Gathered) -> Result<(), String>| {
        let wish = Wish { shown: &shown, entry, class, text, source };
        let taken = admit(&shown, stage, secret, source).and_then(|()| gathered.floor.admit(&wish)).and_then(
            |is_new| {
                if !is_new {
                    return Ok(());
                }
                set(gathered).map(|()| gathered.floor.own(&wish)).map_err(|reason| {
                    let given = text.unwrap_or_default();
                    // The reason may quote the value.
                    let reason = if has_secret_key(given) { SECRET_KEY.to_owned() } else { reason };
                    let message = format!("{}: {reason}.", written(&shown, text, secret));
                    refuse(source, userinfo::hide(&message, given))
                })
            },
        );
        // A refused list is reported once, not once per item.
        problems.extend(taken.err().filter(|problem| {
            problem.code != Code::ConfigTrust || problems.last().is_none_or(|last| last.text != problem.text)
        }));
    };
    if let Some((group, rest)) = groups::find(name) {
        match group.entry(rest) {
            Ok((entry, field)) => {
                take(Some(entry), field.class, field.stage, field.secret, &|gathered| match (
                    text,
                    field.clear,
                ) {
                    (Some(text), _) => (field.set)(&mut gathered.settings, entry, text, source),
                    (None, Some(clear)) => clear(&mut gathered.settings, entry),
                    (None, None) => Err(ONE_VALUE.to_owned()),
                });
            }
            Err(reason) => problems.push(refuse(source, format!("{shown}: {reason}."))),
        }
        return;
    }
    if let Some(key) = keys::find(name) {
        take(None, key.class, key.stage, key.secret, &|gathered| match (text, key.clear) {
            (Some(text), _) => (key.set)(&mut gathered.settings, text, source),
            (None, Some(clear)) => {
                clear(&mut gathered.settings);
                gathered.emptied.insert(key.name, source.clone());
                Ok(())
            }
            (None, None) => Err(ONE_VALUE.to_owned()),
        });
        return;
    }
    // A problem that is only counted needs no hint.
    let meant = (!problems.is_full(source)).then(|| nearest(name, keys::names().chain(groups::names())));
    let hint = match meant.flatten() {
        Some(meant) => format!("did you mean {}?", shown.replace(name, meant)),
        None => "docs/reference/settings.md lists all settings.".to_owned(),
    };
    // Without the setting that was meant, a node would trust more than its operator wants.
    // Short names of a later version of Dayfly may be near to one, too.
    let is_typo = |meant: &&str| {
        let last = name.rsplit('.').next().unwrap_or_default();
        last.len() > 2 && within(name, std::iter::once(*meant), 1).is_some()
    };
    let decides_trust = meant
        .flatten()
        .filter(is_typo)
        .and_then(keys::find)
        .is_some_and(|key| matches!(key.class, Class::Anchor(_)));
    let chosen = source.place() <= Place::Firmware;
    problems.push(Problem {
        severity: if decides_trust && chosen { Severity::Refuse } else { Severity::Warn },
        code: Code::ConfigUnknown,
        source: source.clone(),
        text: format!("{shown} is not a setting of Dayfly; {hint}"),
    });
}

/// What is said about a secret key in place of another value.
const SECRET_KEY: &str =
    "the value is a secret key of minisign; the public key is in the file that ends with .pub";

/// A setting and its value for a message. The value of a secret is left out. A text of several lines is shown as its
/// length, and so is a secret key that was given in place of the public one.
fn written(shown: &str, text: Option<&str>, secret: bool) -> String {
    let Some(text) = text.filter(|_| !secret) else { return shown.to_owned() };
    match shown {
        _ if text.contains('\n') || has_secret_key(text) => format!("{shown} ({} bytes)", text.len()),
        parameter if parameter.ends_with('=') => format!("{parameter}{text}"),
        name => format!("{name} = {text}"),
    }
}

/// Checks whether this source may set a setting of that stage.
fn admit(shown: &str, stage: Stage, secret: bool, source: &Source) -> Result<(), Problem> {
    if secret && !source.is_private() {
        return Err(Problem {
            severity: Severity::Refuse,
            code: Code::ConfigSecret,
            source: source.clone(),
            text: format!(
                "{shown} is a secret, but others can read it in its source ({source}); it is only accepted from {}.",
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
                "{shown} comes too late to be used: it is needed before {}, {}.",
                stage.moment(),
                lateness(source, stage)
            ),
        });
    }
    Ok(())
}

/// Why a source is too late for a setting of this stage, and for a rule what to write instead.
fn lateness(source: &Source, stage: Stage) -> String {
    match source {
        Source::Rule { file, stage: known, .. } if file.stage() <= stage => match known {
            Stage::Devices | Stage::Network => {
                format!("but what {source} compares is known after that; use a uuid or serial condition")
            }
            Stage::Image | Stage::Root => format!(
                "but the host name that {source} compares may come from the network; use a mac, uuid or serial condition, \
                 or set hostname on the command line, in a firmware credential or on /config"
            ),
        },
        _ => format!("and {source} is read after that"),
    }
}
