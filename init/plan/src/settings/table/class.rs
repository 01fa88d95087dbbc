//! Who is trusted with what: the class of a setting, which its row says.

use super::groups::GROUPS;
use super::keys;

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
pub const CLUSTER_CA: &str = "kubelet.ca";
/// The anchor of the server that a script comes from, one for each script.
pub const KNOWN_HOSTS: &str = "script.known_hosts";

/// The class of a setting, by its name, or by those of its group and field; what is none is privileged.
pub fn class(name: &str) -> Class {
    if let Some(key) = keys::find(name) {
        return key.class;
    }
    let (group, field) = name.split_once('.').unwrap_or((name, ""));
    let field = GROUPS
        .iter()
        .filter(|one| one.name == group)
        .find_map(|group| group.fields.iter().find(|one| one.name == field));
    field.map_or(Class::Privileged, |field| field.class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::keys::KEYS;

    #[test]
    fn what_is_no_setting_is_privileged() {
        assert_eq!(class("what.comes.later"), Class::Privileged);
        assert_eq!(class("sysctl"), Class::Privileged);
        assert_eq!(class("script.known_hosts"), Class::Anchor(KNOWN_HOSTS));
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
