//! What makes a node the one it is, beside its name: files, users, sysctls, units, host keys, and who keeps its address.

use std::fmt;
use std::str::FromStr;

use crate::Secret;
use crate::settings::value::{self, Form, choice, number, own_values, values};

/// A file of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlan {
    /// Absolute, in the OS.
    pub path: String,
    /// What is in it; nothing was said where a mode or an owner was.
    pub content: Option<Content>,
    /// Its mode.
    pub mode: u32,
    /// Whose it is; root's where nothing is said.
    pub owner: Option<OwnerName>,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Everybody may know it.
    Open(String),
    /// Nobody may see it on the way.
    Secret(Secret),
}

impl FilePlan {
    /// Whether nobody may see what is in it.
    pub fn is_secret(&self) -> bool {
        self.content.as_ref().is_some_and(Content::is_secret)
    }
}

impl Content {
    /// The text itself.
    pub fn expose(&self) -> &str {
        match self {
            Content::Open(text) => text,
            Content::Secret(secret) => secret.expose(),
        }
    }

    /// Whether it is a secret.
    pub const fn is_secret(&self) -> bool {
        matches!(self, Content::Secret(_))
    }
}

/// A user and a group of the OS, each by name or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerName {
    /// The user.
    pub user: String,
    /// The group; the user's own where nothing is said.
    pub group: Option<String>,
}

/// A user of the OS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPlan {
    /// The name that the image knows.
    pub name: String,
    /// The lines of `~/.ssh/authorized_keys`; none leaves the file as it is.
    pub authorized_keys: Vec<String>,
    /// The hash of the password, as crypt(5) writes it.
    pub password_hash: Option<Secret>,
}

/// A kernel parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlPlan {
    /// As sysctl.d(5) writes it: `net.ipv4.ip_forward`.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl SysctlPlan {
    /// The file below /proc/sys. Where a slash comes first in the name, slashes separate and dots belong to the names
    /// (sysctl.d(5)): `net/ipv4/conf/eth0.5/forwarding`.
    pub fn file(&self) -> String {
        match self.name.find(['.', '/']).and_then(|at| self.name.get(at..)) {
            Some(rest) if rest.starts_with('.') => {
                let swap = |c| match c {
                    '.' => '/',
                    '/' => '.',
                    other => other,
                };
                self.name.chars().map(swap).collect()
            }
            _ => self.name.clone(),
        }
    }
}

/// A unit of systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitPlan {
    /// Its name: `thing.service`.
    pub name: String,
    /// Its text; none where the image has the unit.
    pub content: Option<String>,
    /// Whether it is started at boot, where something is said about that.
    pub enable: Option<bool>,
}

/// What becomes of the ssh host keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HostKeys {
    /// Made once and kept on the state disk.
    #[default]
    Persistent,
    /// New at each boot.
    Ephemeral,
    /// The image's, whatever it has.
    Image,
}

/// Who keeps the node's address when the OS runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NetworkKeeper {
    /// The network service that the image starts, else one that it has.
    #[default]
    Auto,
    /// Nobody is asked: the image sees to it.
    None,
    /// systemd-networkd(8).
    Networkd,
    /// ifup(8), Debian's.
    Ifupdown,
}

choice! { HostKeys =
    "persistent" => HostKeys::Persistent,
    "ephemeral" => HostKeys::Ephemeral,
    or "image" => HostKeys::Image
}

choice! { NetworkKeeper =
    "auto" => NetworkKeeper::Auto,
    "none" => NetworkKeeper::None,
    "networkd" => NetworkKeeper::Networkd,
    or "ifupdown" => NetworkKeeper::Ifupdown
}

values! {
    /// What is in a file.
    FileContent(Content) = "text", Form::Text, |text| Ok(Content::Open(text.to_owned())), shown;
    /// What is in a file that nobody else may read.
    FileSecret(Content, secret) = "text", Form::Text, |text| Ok(Content::Secret(Secret::new(text))), shown;
}

own_values! {
    OwnerName = "user or user:group",
        number(0, i64::MAX, r"^(?!-)[A-Za-z0-9._$-]{1,32}(:(?!-)[A-Za-z0-9._$-]{1,32})?$");
}

fn shown(content: &Content) -> String {
    match content {
        Content::Open(text) => value::size(text),
        Content::Secret(secret) => secret.to_string(),
    }
}

impl FromStr for OwnerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(value::account(group)?)),
            None => (text, None),
        };
        Ok(Self { user: value::account(user)?, group })
    }
}

impl fmt::Display for OwnerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.user)?;
        match &self.group {
            Some(group) => write!(f, ":{group}"),
            None => Ok(()),
        }
    }
}

/// The first few of many, for a line of the plan.
pub fn some(names: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 3;
    let count = names.len();
    let text = names.take(SHOWN).collect::<Vec<_>>().join(", ");
    if count > SHOWN { format!("{text} and {} more", count - SHOWN) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sysctl_is_where_sysctl_d_says() {
        for (name, file) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/conf/eth0.5/forwarding", "net/ipv4/conf/eth0.5/forwarding"),
            ("net.ipv4.conf.eth0/5.forwarding", "net/ipv4/conf/eth0.5/forwarding"),
            ("plain", "plain"),
        ] {
            let sysctl = SysctlPlan { name: name.to_owned(), value: String::new() };
            assert_eq!(sysctl.file(), file);
        }
    }

    #[test]
    fn many_names_are_some_and_a_number() {
        let names = |count: usize| some((0..count).map(|index| index.to_string()));
        assert_eq!(
            (names(1), names(3), names(5)),
            ("0".into(), "0, 1, 2".into(), "0, 1, 2 and 2 more".into())
        );
    }
}
