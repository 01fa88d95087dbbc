//! The floor that the first places lay.
//!
//! What decides trust (an anchor: the image's hash, the cluster's CA) belongs to the first place that sets it, in the order
//! of [`Place`]: later places cannot replace it. What a place that anybody may have written says (a settings file over
//! plain http) is taken for settings of the class [`Class::Plain`] only.

use std::collections::BTreeMap;

use crate::settings::table::class::{Class, IMAGE_HASH};
use crate::settings::value::Trust;
use crate::{Code, Limit, Place, Problem, Secret, Severity, Source};

/// A setting as it is asked for: what the class decides on.
pub(super) struct Wish<'a> {
    /// The name for messages: as it is written there.
    pub shown: &'a str,
    /// The entry of its group, where it has one.
    pub entry: Option<&'a str>,
    /// Its class.
    pub class: Class,
    /// Its value; none is an empty list.
    pub text: Option<&'a str>,
    /// Who asks.
    pub source: &'a Source,
}

/// Who owns an anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    source: Source,
    value: Secret,
}

/// What the first places have settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    owners: BTreeMap<String, Owner>,
    /// Anchors that a rule sets for some host names only, and that rule.
    by_name: BTreeMap<String, Source>,
    /// What is taken in now is of such a rule.
    in_rule_by_name: bool,
    /// How far settings over plain http are trusted.
    url: (Trust, Source),
    /// How far the settings disk is trusted.
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
    /// With the policies that the first places have set.
    pub(super) fn with(mut self, url: (Trust, Source), config: (Trust, Source)) -> Self {
        (self.url, self.config) = (url, config);
        self
    }

    /// Whether a wish is taken: `Ok(false)` where its owner has said the same already.
    pub(super) fn admit(&self, wish: &Wish<'_>) -> Result<bool, Problem> {
        let owner = wish.anchor().and_then(|anchor| self.owners.get(&anchor));
        if let Some(owner) = owner
            && wish.source.place() > owner.source.place()
            && wish.text.is_some_and(|text| same(text, owner.value.expose()))
        {
            return Ok(false);
        }
        if wish.class == Class::Builder && wish.source.place() != Place::Initramfs {
            return Err(wish.problem(
                Severity::Refuse,
                "counts only in the settings file of the initramfs, because whoever builds that decides how far others are \
                 trusted; `dayfly initramfs --settings FILE` puts it there",
            ));
        }
        self.admit_place(wish)?;
        match owner {
            Some(owner) if wish.source.place() > owner.source.place() => Err(wish.is_owned(owner)),
            _ => Ok(true),
        }
    }

    /// Whether the place may set settings of the class at all.
    fn admit_place(&self, wish: &Wish<'_>) -> Result<(), Problem> {
        let is_harmless = match wish.class {
            Class::Plain => true,
            Class::Image => self.owners.contains_key(IMAGE_HASH),
            Class::Privileged | Class::Anchor(_) | Class::Builder => false,
        };
        if is_harmless {
            return Ok(());
        }
        let more = if wish.class == Class::Image { " without a hash that an earlier place owns" } else { "" };
        match wish.source.limit() {
            // A server on the way must not make half a node of it: the boot says so and does not go on.
            Limit::WithoutTls if self.url.0 == Trust::Limited => Err(wish.problem(
                Severity::Refuse,
                &format!(
                    "decides what runs as root or who is trusted{more}, and anybody on the way can write what comes over plain \
                     http: use https, or let the initramfs's settings file say settings.trust = \"any\""
                ),
            )),
            // Who puts a disk into a node does not get to stop it.
            Limit::Disk if self.config.0 == Trust::Limited => Err(wish.problem(
                Severity::Warn,
                &format!(
                    "is not used: it decides what runs as root or who is trusted{more}, and config.trust = \"limited\" ({}) lets \
                     the settings disk set nothing of the kind; \"any\" there would",
                    self.config.1
                ),
            )),
            Limit::None | Limit::WithoutTls | Limit::Disk => Ok(()),
        }
    }

    /// Remembers who set an anchor.
    pub(super) fn own(&mut self, wish: &Wish<'_>) {
        let (Some(anchor), Some(text)) = (wish.anchor(), wish.text) else { return };
        if self.owners.get(&anchor).is_some_and(|there| wish.source.rank() < there.source.rank()) {
            return;
        }
        if self.in_rule_by_name {
            self.by_name.insert(anchor.clone(), wish.source.clone());
        }
        self.owners.insert(anchor, Owner { source: wish.source.clone(), value: Secret::new(text.trim()) });
    }

    /// Whether what is taken in from here on is of a rule that asks for the host name.
    pub(super) fn begin_rule(&mut self, is_by_name: bool) {
        self.in_rule_by_name = is_by_name;
    }

    /// Takes over what rules by host name have set on another floor, which forgets it. A file may have many rules, so this looks
    /// at nothing that was taken over before.
    pub(super) fn take_by_name(&mut self, other: &mut Floor) {
        self.by_name.extend(std::mem::take(&mut other.by_name));
    }

    /// Who owns what, for the reader of a plan.
    pub fn owned(&self) -> impl Iterator<Item = String> {
        self.owners.iter().map(|(anchor, owner)| {
            format!("{anchor} belongs to {}: no later place can replace it.", owner.source)
        })
    }

    /// What depends on the host name, where no setting gives that.
    pub fn by_name(&self) -> impl Iterator<Item = String> {
        self.by_name.iter().map(|(anchor, rule)| {
            format!(
                "{anchor} depends on the host name ({rule}), and that comes from the network: a server there that gives another \
                 name decides that it does not count. Let the rule ask for mac, uuid or serial, or set hostname."
            )
        })
    }

    /// How far places are trusted that anybody may write to, where that is not as usual.
    pub fn policies(&self) -> impl Iterator<Item = String> {
        let url = (self.url.0 == Trust::Any).then(|| {
            format!(
                "Settings that come over plain http may set anything (settings.trust, {}): who is on the way there is root.",
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
    /// The name of what it anchors.
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

    /// Two that somebody chose for this machine contradict each other: the boot does not guess. A disk or a server that tries
    /// it does not stop the node.
    fn is_owned(&self, owner: &Owner) -> Problem {
        let chosen = [Place::Cmdline, Place::Firmware].contains(&self.source.place());
        let refuses = chosen && owner.source.place() == Place::Initramfs;
        let severity = if refuses { Severity::Refuse } else { Severity::Warn };
        let what = format!(
            "is not used: it would replace what {} has set, and what decides trust belongs to the first place that sets it \
             (initramfs, command line, firmware); change it there",
            owner.source
        );
        self.problem(severity, &what)
    }
}

/// Whether two texts are the same value; a hash may be written in capitals.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    one == other || one.len() == 64 && one.eq_ignore_ascii_case(other)
}
