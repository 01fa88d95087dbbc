//! The trust floor: what the most trusted sources have set.
//!
//! A setting that decides trust is an anchor: the image's hash, the cluster's CA. It belongs to the first source that
//! sets it, in the order of [`Place`], and later sources cannot replace it. From a source that anybody may have written
//! (a settings file over plain http), only settings of the class [`Class::Plain`] are accepted.

use std::collections::BTreeMap;

use crate::settings::table::class::{Class, IMAGE_HASH, IMAGE_KEYS};
use crate::settings::value::Trust;
use crate::{Code, Limit, Place, Problem, Secret, Severity, Source};

/// A request to set a setting. Its class decides whether it is accepted.
pub(super) struct Wish<'a> {
    /// The name for messages, as written in the source.
    pub shown: &'a str,
    /// The entry of its group, if it has one.
    pub entry: Option<&'a str>,
    /// Its class.
    pub class: Class,
    /// Its value. `None`: an empty list.
    pub text: Option<&'a str>,
    /// The source of the request.
    pub source: &'a Source,
}

/// The owner of an anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    source: Source,
    /// What it has set; several values if the setting is a list.
    values: Vec<Secret>,
}

/// What the most trusted sources have set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    owners: BTreeMap<String, Owner>,
    /// Anchors that a rule sets only for some host names, with that rule.
    by_name: BTreeMap<String, Source>,
    /// The settings that are applied now are from such a rule.
    in_rule_by_name: bool,
    /// The trust in settings over plain http, with the source of this policy.
    url: (Trust, Source),
    /// The trust in the settings disk, with the source of this policy.
    config: (Trust, Source),
}

impl Default for Floor {
    fn default() -> Self {
        let by_default = |trust| (trust, Source::Default);
        let (owners, by_name, in_rule_by_name) = Default::default();
        let (url, config) = (by_default(Trust::Limited), by_default(Trust::Any));
        Self { owners, by_name, in_rule_by_name, url, config }
    }
}

impl Floor {
    /// Sets the policies that the most trusted sources gave.
    pub(super) fn with(mut self, url: (Trust, Source), config: (Trust, Source)) -> Self {
        (self.url, self.config) = (url, config);
        self
    }

    /// Whether a request is accepted. `Ok(false)`: its owner has already set the same value.
    pub(super) fn admit(&self, wish: &Wish<'_>) -> Result<bool, Problem> {
        let owner = wish.anchor().and_then(|anchor| self.owners.get(&anchor));
        if let Some(owner) = owner
            && wish.source.place() > owner.source.place()
            && wish.text.is_some_and(|text| owner.values.iter().any(|value| same(text, value.expose())))
        {
            return Ok(false);
        }
        if wish.class == Class::Builder && wish.source.place() != Place::Initramfs {
            return Err(wish.problem(
                Severity::Refuse,
                "is only accepted from the settings file of the initramfs, because the builder of the initramfs \
                 decides how far other sources are trusted; `dayfly initramfs --settings FILE` puts it there",
            ));
        }
        self.admit_place(wish)?;
        match owner {
            Some(owner) if wish.source.place() > owner.source.place() => Err(wish.is_owned(owner)),
            _ => Ok(true),
        }
    }

    /// Whether the source may set settings of this class at all.
    fn admit_place(&self, wish: &Wish<'_>) -> Result<(), Problem> {
        let is_harmless = match wish.class {
            Class::Plain => true,
            Class::Image => [IMAGE_HASH, IMAGE_KEYS].iter().any(|anchor| self.owners.contains_key(*anchor)),
            Class::Privileged | Class::Anchor(_) | Class::Builder => false,
        };
        if is_harmless {
            return Ok(());
        }
        let more = if wish.class == Class::Image {
            " without a hash or keys that an earlier source owns"
        } else {
            ""
        };
        match wish.source.limit() {
            // An attacker on the network must not produce a partly configured node. So the boot reports this and stops.
            Limit::WithoutTls if self.url.0 == Trust::Limited => Err(wish.problem(
                Severity::Refuse,
                &format!(
                    "decides what runs as root or who is trusted{more}, but anyone on the network path can \
                     change data that comes over plain http: use https, or set settings.trust = \"any\" in the \
                     settings file of the initramfs"
                ),
            )),
            // Only a warning: inserting a disk must not be enough to stop a node.
            Limit::Disk if self.config.0 == Trust::Limited => Err(wish.problem(
                Severity::Warn,
                &format!(
                    "is not used: it decides what runs as root, who is trusted or which networks the node joins{more}, and config.trust = \
                     \"limited\" ({}) does not let the settings disk set it; config.trust = \"any\" allows it",
                    self.config.1
                ),
            )),
            Limit::None | Limit::WithoutTls | Limit::Disk => Ok(()),
        }
    }

    /// Records the owner of an anchor. A list that its own source empties has no owner: it decides nothing.
    pub(super) fn own(&mut self, wish: &Wish<'_>) {
        let Some(anchor) = wish.anchor() else { return };
        if self.owners.get(&anchor).is_some_and(|there| wish.source.rank() < there.source.rank()) {
            return;
        }
        if self.in_rule_by_name {
            self.by_name.insert(anchor.clone(), wish.source.clone());
        }
        let Some(text) = wish.text else {
            self.owners.remove(&anchor);
            return;
        };
        let value = Secret::new(text.trim());
        match self.owners.get_mut(&anchor).filter(|owner| owner.source == *wish.source) {
            Some(owner) => owner.values.push(value),
            None => {
                drop(self.owners.insert(anchor, Owner { source: wish.source.clone(), values: vec![value] }));
            }
        }
    }

    /// Sets whether the following settings are from a rule with a host name condition.
    pub(super) fn begin_rule(&mut self, is_by_name: bool) {
        self.in_rule_by_name = is_by_name;
    }

    /// Moves the anchors that rules by host name have set from another floor to this one. A file may have many rules,
    /// so this must not visit those that were moved before.
    pub(super) fn take_by_name(&mut self, other: &mut Floor) {
        self.by_name.extend(std::mem::take(&mut other.by_name));
    }

    /// The owner of each anchor, as notes for a plan.
    pub fn owned(&self) -> impl Iterator<Item = String> {
        self.owners.iter().map(|(anchor, owner)| {
            format!("{anchor} belongs to {}: no later source can replace it.", owner.source)
        })
    }

    /// The anchors that depend on the host name, as notes for a plan. `named_by` is the source of the name; the network gives it if no
    /// source does. A name from the place of the rule itself is as good as the rule.
    pub fn by_name(&self, named_by: Option<&Source>) -> impl Iterator<Item = String> {
        let later = move |rule: &Source| named_by.is_none_or(|source| source.place() > rule.place());
        self.by_name.iter().filter(move |(_, rule)| later(rule)).map(move |(anchor, rule)| {
            let named_by = named_by.map_or_else(|| "the network".to_owned(), ToString::to_string);
            format!(
                "{anchor} depends on the host name ({rule}), which comes from {named_by}: who controls that can turn the rule off by \
                 another name. Use a mac, uuid or serial condition in the rule, or set hostname where the rule is."
            )
        })
    }

    /// Trust policies that differ from the default, as notes for a plan.
    pub fn policies(&self) -> impl Iterator<Item = String> {
        let url = (self.url.0 == Trust::Any).then(|| {
            format!(
                "Settings that come over plain http may set anything (settings.trust, {}): anyone on the network path can become root.",
                self.url.1
            )
        });
        let config = (self.config.0 == Trust::Limited).then(|| {
            format!(
                "The settings disk may set nothing that runs as root or decides trust (config.trust, {}).",
                self.config.1
            )
        });
        url.into_iter().chain(config)
    }
}

impl Wish<'_> {
    /// The name of the anchor.
    fn anchor(&self) -> Option<String> {
        let Class::Anchor(anchor) = self.class else { return None };
        Some(match (self.entry, anchor.split_once('.')) {
            (Some(entry), Some((group, field))) => format!("{group}.{entry}.{field}"),
            _ => anchor.to_owned(),
        })
    }

    fn problem(&self, severity: Severity, what: &str) -> Problem {
        Problem {
            severity,
            code: Code::ConfigTrust,
            source: self.source.clone(),
            text: format!("{} {what}.", self.shown),
        }
    }

    /// If two sources that the operator chose for this machine contradict each other, the boot refuses to guess. A disk
    /// or a server with a different value only causes a warning, so that it cannot stop the node.
    fn is_owned(&self, owner: &Owner) -> Problem {
        let chosen = [Place::Cmdline, Place::Firmware].contains(&self.source.place());
        let refuses = chosen && owner.source.place() == Place::Initramfs;
        let severity = if refuses { Severity::Refuse } else { Severity::Warn };
        let what = format!(
            "is not used: it would replace the value from {}, and a setting that decides trust belongs to the \
             first source that sets it (initramfs, command line, firmware); change it there",
            owner.source
        );
        self.problem(severity, &what)
    }
}

/// Whether two texts are the same value. The case of a hash does not matter.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    one == other || one.len() == 64 && one.eq_ignore_ascii_case(other)
}
