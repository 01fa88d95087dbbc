//! The configuration of a node besides its name: files, users, sysctls, units, host keys, and the service that keeps
//! its address.

use std::fmt;
use std::str::FromStr;

use crate::Secret;
use crate::settings::value::{self, Form, choice, number, own_values, values};

/// A file of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlan {
    /// Absolute, in the OS.
    pub path: String,
    /// Its content. `None` if the settings only give a mode or an owner.
    pub content: Option<Content>,
    /// Its mode.
    pub mode: u32,
    /// Its owner. `None`: root.
    pub owner: Option<OwnerName>,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Not secret.
    Open(String),
    /// Secret: it never appears in a log or a plan.
    Secret(Secret),
}

impl FilePlan {
    /// Whether the content is secret.
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
    /// The group. `None`: the user's own group.
    pub group: Option<String>,
}

/// A user of the OS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPlan {
    /// Its name in the image.
    pub name: String,
    /// The lines of `~/.ssh/authorized_keys`. If empty, the file stays unchanged.
    pub authorized_keys: Vec<String>,
    /// The hash of the password, as crypt(5) writes it.
    pub password_hash: Option<Secret>,
}

/// A sysctl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlPlan {
    /// As sysctl.d(5) writes it: `net.ipv4.ip_forward`.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl SysctlPlan {
    /// The file below /proc/sys. If the first separator in the name is a slash, slashes separate and dots belong to the
    /// names (sysctl.d(5)): `net/ipv4/conf/eth0.5/forwarding`.
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

/// A systemd unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitPlan {
    /// Its name: `thing.service`.
    pub name: String,
    /// Its text. `None` if the image has the unit.
    pub content: Option<String>,
    /// Whether it starts at boot. `None`: as the image has it.
    pub enable: Option<bool>,
}

/// What Dayfly does with the ssh host keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HostKeys {
    /// Generated once and stored on the state disk.
    #[default]
    Persistent,
    /// New at each boot.
    Ephemeral,
    /// Those of the image, unchanged.
    Image,
}

/// The service that keeps the node's address while the OS runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NetworkKeeper {
    /// The network service that the image starts. If it starts none, one that is installed.
    #[default]
    Auto,
    /// None: Dayfly leaves the address to the image.
    None,
    /// systemd-networkd(8).
    Networkd,
    /// ifup(8) of Debian.
    Ifupdown,
    /// NetworkManager(8).
    NetworkManager,
    /// dhcpcd(8).
    Dhcpcd,
    /// netifrc, Gentoo's network scripts for OpenRC.
    Netifrc,
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
    "ifupdown" => NetworkKeeper::Ifupdown,
    "networkmanager" => NetworkKeeper::NetworkManager,
    "dhcpcd" => NetworkKeeper::Dhcpcd,
    or "netifrc" => NetworkKeeper::Netifrc
}

values! {
    /// The content of a file.
    FileContent(Content) = "text", Form::Text, |text| Ok(Content::Open(text.to_owned())), shown;
    /// The content of a file that only its owner may read.
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

/// The first few names and the number of the others, for a line of the plan.
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
