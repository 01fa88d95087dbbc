//! Who is trusted with what: a class for every setting, and the floor that the first places lay.
//!
//! What decides trust (an anchor: the image's hash, the cluster's CA) belongs to the first place that sets it, in the order
//! of [`Place`]: later places cannot replace it. What a place that anybody may have written says (a settings file over
//! plain http) is taken for settings of the class [`Class::Plain`] only.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::{Code, Limit, Place, Problem, Secret, Severity, Source};

/// What somebody gains who may choose a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Neither root nor trust: names, waits, addresses.
    Plain,
    /// Something that runs as root, opens a door, discloses, or says where data lies.
    Privileged,
    /// The choice of the image: as `Privileged`, unless a hash that is owned decides which image it can be.
    Image,
    /// It decides trust. Settings of the same anchor stand for one another: who owns one owns all.
    Anchor(&'static str),
    /// Only the file in the initramfs may set it.
    Builder,
}

/// The anchor of the image.
pub const IMAGE_HASH: &str = "image.sha256";
/// The anchor of a kubelet's cluster.
const CLUSTER_CA: &str = "kubelet.ca";
/// The anchor of the server that a script comes from, one for each script.
const KNOWN_HOSTS: &str = "script.known_hosts";

/// The class of every setting, by its name, or by those of its group and field. What is not here is privileged, and a test
/// says that it is missing.
pub static CLASSES: &[(&str, Class)] = &[
    ("image.url", Class::Image),
    ("image.device", Class::Image),
    ("image.sha256", Class::Anchor(IMAGE_HASH)),
    ("image.connect", Class::Plain),
    ("image.stall", Class::Plain),
    ("image.min_rate", Class::Plain),
    ("image.dir", Class::Image),
    ("image.file", Class::Image),
    ("retry", Class::Plain),
    ("device_wait", Class::Plain),
    // Whose settings count.
    ("config.device", Class::Privileged),
    ("config.wait", Class::Plain),
    ("config.trust", Class::Privileged),
    ("settings.url", Class::Privileged),
    ("settings.wait", Class::Plain),
    ("settings.required", Class::Privileged),
    ("settings.trust", Class::Builder),
    // DHCP may say the same, and is not trusted either.
    ("network.ip", Class::Plain),
    ("network.dns", Class::Plain),
    ("network.bootif", Class::Plain),
    ("network.wanted", Class::Plain),
    ("network.handover", Class::Plain),
    ("hostname", Class::Plain),
    ("modules.load", Class::Privileged),
    ("modules.blacklist", Class::Privileged),
    ("os.modules", Class::Privileged),
    // What is run from persistent paths is what lies on that disk.
    ("state.device", Class::Privileged),
    ("state.create", Class::Privileged),
    ("state.disk", Class::Privileged),
    ("state.fstype", Class::Privileged),
    ("layout", Class::Privileged),
    ("root.size", Class::Plain),
    // Keys that come with the image are known to all who have it.
    ("ssh.host_keys", Class::Privileged),
    ("kubelet.enabled", Class::Privileged),
    ("kubelet.program", Class::Privileged),
    ("kubelet.args", Class::Privileged),
    ("kubelet.server", Class::Privileged),
    ("kubelet.ca", Class::Anchor(CLUSTER_CA)),
    ("kubelet.token", Class::Privileged),
    // It has a CA in it.
    ("kubelet.kubeconfig", Class::Anchor(CLUSTER_CA)),
    ("kubelet.config", Class::Privileged),
    ("kubelet.labels", Class::Plain),
    ("kubelet.taints", Class::Plain),
    ("kubelet.cri", Class::Privileged),
    ("kubelet.cluster_dns", Class::Privileged),
    ("kubelet.cluster_domain", Class::Privileged),
    ("k0s.role", Class::Privileged),
    ("k0s.program", Class::Privileged),
    ("k0s.args", Class::Privileged),
    ("k0s.config", Class::Privileged),
    ("k0s.token", Class::Privileged),
    ("k0s.data_dir", Class::Privileged),
    ("k0s.images", Class::Privileged),
    ("k3s.role", Class::Privileged),
    ("k3s.program", Class::Privileged),
    ("k3s.args", Class::Privileged),
    ("k3s.config", Class::Privileged),
    ("k3s.server", Class::Privileged),
    ("k3s.token", Class::Privileged),
    ("k3s.images", Class::Privileged),
    ("init", Class::Privileged),
    ("failure.shell", Class::Privileged),
    ("failure.action", Class::Privileged),
    ("failure.pause", Class::Plain),
    // A node must not be made to send its record to a server of somebody's choice.
    ("report", Class::Privileged),
    ("report_wait", Class::Plain),
    ("git", Class::Privileged),
    ("debug", Class::Plain),
    ("file.content", Class::Privileged),
    ("file.secret", Class::Privileged),
    ("file.mode", Class::Privileged),
    ("file.owner", Class::Privileged),
    ("user.authorized_keys", Class::Privileged),
    ("user.password_hash", Class::Privileged),
    ("sysctl", Class::Privileged),
    ("unit.content", Class::Privileged),
    ("unit.enable", Class::Privileged),
    ("script.git", Class::Privileged),
    ("script.branch", Class::Privileged),
    ("script.program", Class::Privileged),
    ("script.interval", Class::Privileged),
    ("script.ssh_key", Class::Privileged),
    ("script.known_hosts", Class::Anchor(KNOWN_HOSTS)),
];

/// The class of a setting; what nobody has thought of is privileged.
pub fn class(name: &str) -> Class {
    CLASSES.iter().find(|(known, _)| *known == name).map_or(Class::Privileged, |(_, class)| *class)
}

/// What a place may set that others may have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Anything.
    Any,
    /// Nothing that runs as root or decides trust.
    Limited,
}

impl FromStr for Trust {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Trust::Any),
            "limited" => Ok(Trust::Limited),
            _ => Err(format!("\"{text}\" is not one of any, limited")),
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trust::Any => "any",
            Trust::Limited => "limited",
        })
    }
}

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
    /// How far settings over plain http are trusted.
    url: (Trust, Source),
    /// How far the settings disk is trusted.
    config: (Trust, Source),
}

impl Default for Floor {
    fn default() -> Self {
        let by_default = |trust| (trust, Source::Default);
        let (owners, by_name) = Default::default();
        Self { owners, by_name, url: by_default(Trust::Limited), config: by_default(Trust::Any) }
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
        let owner = Owner { source: wish.source.clone(), value: Secret::new(text.trim()) };
        match self.owners.get_mut(&anchor) {
            Some(there) if wish.source.rank() < there.source.rank() => {}
            Some(there) => *there = owner,
            None => drop(self.owners.insert(anchor, owner)),
        }
    }

    /// Remembers which anchors a rule sets that asks for the host name. `tried` is the floor that the rule was tried on.
    pub(super) fn own_by_name(&mut self, rule: &Source, tried: &Floor) {
        let set = tried.owners.iter().filter(|(_, owner)| owner.source == *rule);
        self.by_name.extend(set.map(|(anchor, _)| (anchor.clone(), rule.clone())));
    }

    /// Who owns what, for the reader of a plan. `is_named` where settings give the host name, and not the network.
    pub fn notes(&self, is_named: bool) -> Vec<String> {
        let owned = self.owners.iter().map(|(anchor, owner)| {
            format!("{anchor} belongs to {}: no later place can replace it.", owner.source)
        });
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
        let by_name = self.by_name.iter().filter(|_| !is_named).map(|(anchor, rule)| {
            format!(
                "{anchor} depends on the host name ({rule}), and that comes from the network: a server there that gives another \
                 name decides that it does not count. Let the rule ask for mac, uuid or serial, or set hostname."
            )
        });
        owned.chain(by_name).chain(url).chain(config).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{groups::GROUPS, keys::KEYS};

    /// A setting that nobody has classified is privileged until somebody has: it has to be looked at here.
    #[test]
    fn every_setting_has_a_class_and_every_class_a_setting() {
        let fields = GROUPS.iter().flat_map(|group| {
            group.fields.iter().map(|field| match field.name {
                "" => group.name.to_owned(),
                name => format!("{}.{name}", group.name),
            })
        });
        let mut names: Vec<String> = KEYS.iter().map(|key| key.name.to_owned()).chain(fields).collect();
        let mut classified: Vec<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
        names.sort();
        classified.sort_unstable();
        assert_eq!(names, classified);
        assert_eq!(class("what.comes.later"), Class::Privileged);
    }

    #[test]
    fn secrets_and_what_runs_are_privileged() {
        for key in KEYS.iter().filter(|key| key.secret || key.doc.contains("n argument of")) {
            assert_ne!(class(key.name), Class::Plain, "{}", key.name);
        }
        for group in GROUPS {
            for field in group.fields {
                let name = if field.name.is_empty() {
                    group.name.to_owned()
                } else {
                    format!("{}.{}", group.name, field.name)
                };
                assert_ne!(class(&name), Class::Plain, "{name}");
            }
        }
    }
}
