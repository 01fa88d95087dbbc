//! Finds a setting by its name, inside or outside a group.

use super::class::Class;
use super::groups::GROUPS;
use super::keys;

/// The class of a setting, by its name or by the names of its group and field. An unknown setting is privileged.
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
    use crate::settings::table::class::KNOWN_HOSTS;
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
