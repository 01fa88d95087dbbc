//! Settings of the node's own things: files, users, sysctls, units.

use std::collections::BTreeMap;

use super::Settings;
use super::groups::{Field, Group, Rows, size};
use super::keys::{add, put};
use super::value::{parse_bool, parse_path};
use crate::{
    Content, FilePlan, OwnerName, Secret, Sourced, Stage, SysctlPlan, UnitPlan, UserPlan, in_reference,
};

/// What the settings say of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSettings {
    content: Option<Sourced<Content>>,
    mode: Option<Sourced<u32>>,
    owner: Option<Sourced<OwnerName>>,
}

/// What the settings say of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserSettings {
    authorized_keys: Vec<Sourced<String>>,
    password_hash: Option<Sourced<Secret>>,
}

/// What the settings say of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitSettings {
    content: Option<Sourced<String>>,
    enable: Option<Sourced<bool>>,
}

/// All of them, by path or name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSettings {
    files: BTreeMap<String, FileSettings>,
    users: BTreeMap<String, UserSettings>,
    sysctls: BTreeMap<String, Sourced<String>>,
    units: BTreeMap<String, UnitSettings>,
}

/// A file's content may be anything, so its place is what can be wrong with it.
pub(super) static FILE: Group = Group {
    name: "file",
    entry: "PATH",
    doc: in_reference(
        "A file that is written before the OS starts, with the folders above it. It replaces what the image has.",
    ),
    fields: &[
        Field {
            name: "content",
            kind: "text",
            doc: in_reference("What is in it."),
            stage: Stage::Root,
            secret: false,
            clear: None,
            set: |settings, path, text, source| {
                put(&mut file(settings, path)?.content, Content::Open(text.to_owned()), source);
                Ok(())
            },
        },
        Field {
            name: "secret",
            kind: "text",
            doc: in_reference(
                "What is in it, where nobody else may know it. Of this and `content`, the later one counts.",
            ),
            stage: Stage::Root,
            secret: true,
            clear: None,
            set: |settings, path, text, source| {
                put(&mut file(settings, path)?.content, Content::Secret(Secret::new(text)), source);
                Ok(())
            },
        },
        Field {
            name: "mode",
            kind: "octal digits",
            doc: in_reference("Its mode, in four digits: `0644`, which is the default; `0600` for a secret."),
            stage: Stage::Root,
            secret: false,
            clear: None,
            set: |settings, path, text, source| {
                put(&mut file(settings, path)?.mode, mode(text)?, source);
                Ok(())
            },
        },
        Field {
            name: "owner",
            kind: "user or user:group",
            doc: in_reference(
                "Whose it is, by names that the image knows or by numbers; root's where nothing is said. A user without a group stands for the user's own.",
            ),
            stage: Stage::Root,
            secret: false,
            clear: None,
            set: |settings, path, text, source| {
                put(&mut file(settings, path)?.owner, owner(text)?, source);
                Ok(())
            },
        },
    ],
    show: |settings| {
        let mut rows = Vec::new();
        for (path, file) in &settings.node.files {
            let mut row = Rows { rows: &mut rows, prefix: format!("file.{path}") };
            let is_secret = file.content.as_ref().is_some_and(|content| content.value.is_secret());
            let field = if is_secret { "secret" } else { "content" };
            row.add(field, file.content.as_ref(), |content| match content {
                Content::Open(text) => size(text),
                Content::Secret(secret) => secret.to_string(),
            });
            row.add("mode", file.mode.as_ref(), |mode| format!("{mode:04o}"));
            row.add("owner", file.owner.as_ref(), ToString::to_string);
        }
        rows
    },
};

pub(super) static USER: Group = Group {
    name: "user",
    entry: "NAME",
    doc: in_reference("A user that the image has."),
    fields: &[
        Field {
            name: "authorized_keys",
            kind: "public key",
            doc: in_reference(
                "A line of `~/.ssh/authorized_keys`; several are allowed, and together they are the whole file.",
            ),
            stage: Stage::Root,
            secret: false,
            clear: Some(|settings, name| user(settings, name).map(|user| user.authorized_keys.clear())),
            set: |settings, name, text, source| {
                add(&mut user(settings, name)?.authorized_keys, public_key(text)?, source);
                Ok(())
            },
        },
        Field {
            name: "password_hash",
            kind: "hash",
            doc: in_reference(
                "The password's hash as `openssl passwd -6` or mkpasswd(1) makes it; `!` locks the password.",
            ),
            stage: Stage::Root,
            secret: true,
            clear: None,
            set: |settings, name, text, source| {
                put(&mut user(settings, name)?.password_hash, hash(text)?, source);
                Ok(())
            },
        },
    ],
    show: |settings| {
        let mut rows = Vec::new();
        for (name, user) in &settings.node.users {
            let mut row = Rows { rows: &mut rows, prefix: format!("user.{name}") };
            for key in &user.authorized_keys {
                row.add("authorized_keys", Some(key), Clone::clone);
            }
            row.add("password_hash", user.password_hash.as_ref(), ToString::to_string);
        }
        rows
    },
};

pub(super) static SYSCTL: Group = Group {
    name: "sysctl",
    entry: "NAME",
    doc: in_reference(
        "A kernel parameter. It is set before the OS starts, and written to /etc/sysctl.d for the OS, which may load what it belongs to later.",
    ),
    fields: &[Field {
        name: "",
        kind: "one line, or a number",
        doc: in_reference("Its value: `sysctl.\"net.ipv4.ip_forward\" = 1`."),
        stage: Stage::Root,
        secret: false,
        clear: None,
        set: |settings, name, text, source| {
            let (name, value) = (sysctl(name)?, one_line(text)?);
            let slot = settings.node.sysctls.entry(name);
            slot.or_insert_with(|| Sourced::default_of(String::new())).set(value, source.clone());
            Ok(())
        },
    }],
    show: |settings| {
        let mut rows = Vec::new();
        for (name, value) in &settings.node.sysctls {
            Rows { rows: &mut rows, prefix: "sysctl".to_owned() }.add(name, Some(value), Clone::clone);
        }
        rows
    },
};

pub(super) static UNIT: Group = Group {
    name: "unit",
    entry: "NAME",
    doc: "A unit of systemd, by its whole name: `unit.\"thing.service\".enable`. A drop-in is a file. In an image with OpenRC, `thing.service` is the \
          service `thing`, and only `enable` can be said of it; its script is a file.",
    fields: &[
        Field {
            name: "content",
            kind: "text",
            doc: in_reference(
                "Its text, written to /etc/systemd/system; without it, the unit is one of the image.",
            ),
            stage: Stage::Root,
            secret: false,
            clear: None,
            set: |settings, name, text, source| {
                put(&mut unit(settings, name)?.content, text.to_owned(), source);
                Ok(())
            },
        },
        Field {
            name: "enable",
            kind: "yes or no",
            doc: in_reference(
                "Start it at boot, as the unit's own `[Install]` says (OpenRC: in the runlevel `default`), or do not.",
            ),
            stage: Stage::Root,
            secret: false,
            clear: None,
            set: |settings, name, text, source| {
                put(&mut unit(settings, name)?.enable, parse_bool(text)?, source);
                Ok(())
            },
        },
    ],
    show: |settings| {
        let mut rows = Vec::new();
        for (name, unit) in &settings.node.units {
            let mut row = Rows { rows: &mut rows, prefix: format!("unit.{name}") };
            row.add("content", unit.content.as_ref(), |text| size(text));
            row.add("enable", unit.enable.as_ref(), |on| if *on { "yes" } else { "no" }.to_owned());
        }
        rows
    },
};

impl NodeSettings {
    /// The files.
    pub fn files(&self) -> Vec<FilePlan> {
        self.files.iter().map(|(path, file)| file.plan(path)).collect()
    }

    /// The users.
    pub fn users(&self) -> Vec<UserPlan> {
        let plan = |(name, user): (&String, &UserSettings)| UserPlan {
            name: name.clone(),
            authorized_keys: user.authorized_keys.iter().map(|key| key.value.clone()).collect(),
            password_hash: user.password_hash.as_ref().map(|hash| hash.value.clone()),
        };
        self.users.iter().map(plan).collect()
    }

    /// The kernel parameters.
    pub fn sysctls(&self) -> Vec<SysctlPlan> {
        let plan = |(name, value): (&String, &Sourced<String>)| SysctlPlan {
            name: name.clone(),
            value: value.value.clone(),
        };
        self.sysctls.iter().map(plan).collect()
    }

    /// The units.
    pub fn units(&self) -> Vec<UnitPlan> {
        let plan = |(name, unit): (&String, &UnitSettings)| UnitPlan {
            name: name.clone(),
            content: unit.content.as_ref().map(|content| content.value.clone()),
            enable: unit.enable.as_ref().map(|enable| enable.value),
        };
        self.units.iter().map(plan).collect()
    }
}

impl FileSettings {
    fn plan(&self, path: &str) -> FilePlan {
        let content = self.content.as_ref().map(|content| content.value.clone());
        let default = if content.as_ref().is_some_and(Content::is_secret) { 0o600 } else { 0o644 };
        FilePlan {
            path: path.to_owned(),
            mode: self.mode.as_ref().map_or(default, |mode| mode.value),
            owner: self.owner.as_ref().map(|owner| owner.value.clone()),
            content,
        }
    }
}

fn file<'a>(settings: &'a mut Settings, path: &str) -> Result<&'a mut FileSettings, String> {
    let path = parse_path(path)?;
    let top = path.split('/').nth(1).unwrap_or_default();
    if ["proc", "sys", "dev"].contains(&top) {
        return Err(format!("\"{path}\" belongs to the kernel"));
    }
    Ok(settings.node.files.entry(path).or_default())
}

fn user<'a>(settings: &'a mut Settings, name: &str) -> Result<&'a mut UserSettings, String> {
    Ok(settings.node.users.entry(account(name)?).or_default())
}

fn unit<'a>(settings: &'a mut Settings, name: &str) -> Result<&'a mut UnitSettings, String> {
    Ok(settings.node.units.entry(unit_name(name)?).or_default())
}

/// A mode without setuid, setgid and sticky.
fn mode(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix('0').filter(|digits| digits.len() == 3);
    digits.and_then(|digits| u32::from_str_radix(digits, 8).ok()).ok_or_else(|| {
        format!("\"{text}\" is not a mode: four octal digits in quotes are expected, like \"0640\"")
    })
}

fn owner(text: &str) -> Result<OwnerName, String> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(account(group)?)),
        None => (text, None),
    };
    Ok(OwnerName { user: account(user)?, group })
}

/// The name or number of a user or group (useradd(8): what shadow-utils and systemd can read).
fn account(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= 32
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-$".contains(&b));
    if fits { Ok(text.to_owned()) } else { Err(format!("{text:?} is not the name of a user or group")) }
}

/// A line of authorized_keys (sshd(8)): options, the key's type, the key, a comment.
fn public_key(text: &str) -> Result<String, String> {
    let refuse =
        |what: &str| Err(format!("it {what}; a public key is one line, like \"ssh-ed25519 AAAA… name\""));
    if text.contains("PRIVATE KEY") {
        return refuse("is a private key, which must stay where it is");
    }
    let line = text.trim();
    if line.contains(char::is_control) {
        return refuse("has more than one line");
    }
    let mut words = line.split_whitespace();
    let is_type = |word: &str| {
        ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|prefix| word.starts_with(prefix))
    };
    let found = words.by_ref().any(is_type);
    // Every key blob starts with the length of its type's name, which is below 256.
    match (found, words.next()) {
        (true, Some(key)) if key.starts_with("AAAA") => Ok(line.to_owned()),
        _ => refuse("is none"),
    }
}

/// A field of shadow(5), which ends at a colon.
fn hash(text: &str) -> Result<Secret, String> {
    let text = text.trim();
    let is_locked = text == "!" || text == "*";
    let is_hash = text.len() > 8
        && text.starts_with(['$', '_'])
        && text.bytes().all(|b| b.is_ascii_graphic() && !b":!*".contains(&b));
    if is_locked || is_hash {
        return Ok(Secret::new(text));
    }
    Err("it is not the hash of a password, as `openssl passwd -6` makes it".to_owned())
}

fn sysctl(name: &str) -> Result<String, String> {
    let fits = !name.is_empty()
        && name.split(['.', '/']).all(|part| !part.is_empty())
        && name.bytes().all(|b| b.is_ascii_graphic() && !b"=#;*?[]\\".contains(&b));
    if fits { Ok(name.to_owned()) } else { Err(format!("{name:?} is not the name of a kernel parameter")) }
}

fn one_line(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.contains(|c: char| c.is_control() && c != '\t') {
        return Err("a value of one line is expected".to_owned());
    }
    Ok(text.to_owned())
}

/// systemd.unit(5).
fn unit_name(name: &str) -> Result<String, String> {
    const KINDS: [&str; 9] =
        ["service", "socket", "timer", "path", "target", "mount", "automount", "swap", "slice"];
    let fits = name.len() < 256
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b))
        && name.rsplit_once('.').is_some_and(|(name, kind)| !name.is_empty() && KINDS.contains(&kind));
    if fits {
        Ok(name.to_owned())
    } else {
        Err(format!("{name:?} is not the name of a unit, like \"thing.service\""))
    }
}
