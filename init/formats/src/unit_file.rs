//! The `[Install]` section of a systemd unit, which defines how it is enabled (systemd.unit(5)).

use crate::systemd_syntax::whole_lines;

/// The content of the section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Install {
    /// Units that want it (`WantedBy=`).
    pub wanted_by: Vec<String>,
    /// Units that require it (`RequiredBy=`).
    pub required_by: Vec<String>,
    /// Its other names (`Alias=`).
    pub alias: Vec<String>,
    /// Units that are enabled with it (`Also=`).
    pub also: Vec<String>,
}

impl Install {
    /// Reads the section from a unit's text. An empty value clears the earlier ones (systemd.syntax(7)).
    pub fn parse(text: &str) -> Self {
        let mut install = Self::default();
        let mut is_install = false;
        for line in whole_lines(text) {
            if line.starts_with('[') {
                is_install = line == "[Install]";
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| is_install) else { continue };
            let list = match key.trim_end() {
                "WantedBy" => &mut install.wanted_by,
                "RequiredBy" => &mut install.required_by,
                "Alias" => &mut install.alias,
                "Also" => &mut install.also,
                _ => continue,
            };
            if value.trim().is_empty() {
                list.clear();
            }
            list.extend(value.split_whitespace().map(str::to_owned));
        }
        install
    }

    /// Whether the section is empty. Such a unit is only started by other units.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_enabling_means_is_read() {
        let text = "[Unit]\nWantedBy=not.here\n# [Install]\n[Service]\nExecStart=/bin/a \\\n[Install]\n\n\
            [Install]\nWantedBy=a.target\nWantedBy = b.target \\\n  # between\n  c.target\nRequiredBy=gone\n\
            RequiredBy=\nAlias=x.service y.service\n;Also=no\nAlso=z.socket\nDefaultInstance=1\n[X]\nWantedBy=later";
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            Install::parse(text),
            Install {
                wanted_by: names(&["a.target", "b.target", "c.target"]),
                required_by: vec![],
                alias: names(&["x.service", "y.service"]),
                also: names(&["z.socket"]),
            }
        );
        for nothing in ["", "[Install]", "WantedBy=a", "[Install]\nWantedBy", "\\", "[Install]\nWantedBy=\\"]
        {
            assert!(Install::parse(nothing).is_empty(), "{nothing:?}");
        }
    }
}
