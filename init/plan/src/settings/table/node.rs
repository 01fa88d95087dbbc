//! The groups for the node's files, users, sysctls and units.

use super::group::{Group, Rows, field};
use crate::node::{FileContent, FileSecret};
use crate::settings::value::{Mode, OneLine, PasswordHash, Path, PublicKey, Text, Value, YesNo, account};
use crate::settings::wanted::{FileSettings, Settings, UnitSettings, UserSettings};
use crate::{Content, OwnerName, Sourced, in_reference};

/// A file's content may be anything, so only its path is checked.
pub(super) static FILE: Group = Group {
    name: "file",
    entry: "PATH",
    doc: in_reference(
        "A file that is written before the OS starts, with its parent directories. It replaces the image's file.",
    ),
    fields: &[
        field!("content", Privileged, FileContent => (file.content), "Its content."),
        field!(
            "secret", Privileged, FileSecret => (file.content),
            "Its content, if that is a secret. If both this and `content` are set, the later one counts."
        ),
        field!(
            "mode", Privileged, Mode => (file.mode),
            "Its mode, in four digits: `0644`, which is the default; `0600` for a secret."
        ),
        field!(
            "owner", Privileged, OwnerName => (file.owner),
            "Its owner, by names from the image or by numbers. The default is root. A user without a group means the user's own group."
        ),
    ],
    show: |settings| {
        let mut rows = Vec::new();
        for (path, file) in &settings.node.files {
            let mut row = Rows { rows: &mut rows, prefix: format!("file.{path}") };
            let is_secret = file.content.as_ref().is_some_and(|content| Content::is_secret(&content.value));
            row.add::<FileContent>(if is_secret { "secret" } else { "content" }, file.content.as_ref());
            row.add::<Mode>("mode", file.mode.as_ref());
            row.add::<OwnerName>("owner", file.owner.as_ref());
        }
        rows
    },
};

pub(super) static USER: Group = Group {
    name: "user",
    entry: "NAME",
    doc: in_reference("A user that exists in the image."),
    fields: &[
        field!(
            "authorized_keys", Privileged, PublicKey => [user.authorized_keys],
            "A line of `~/.ssh/authorized_keys`; several are allowed, and together they are the whole file."
        ),
        field!(
            "password_hash", Privileged, PasswordHash => (user.password_hash),
            "The password's hash as `openssl passwd -6` or mkpasswd(1) makes it; `!` locks the password."
        ),
    ],
    show: |settings| {
        let mut rows = Vec::new();
        for (name, user) in &settings.node.users {
            let mut row = Rows { rows: &mut rows, prefix: format!("user.{name}") };
            for key in &user.authorized_keys {
                row.add::<PublicKey>("authorized_keys", Some(key));
            }
            row.add::<PasswordHash>("password_hash", user.password_hash.as_ref());
        }
        rows
    },
};

pub(super) static SYSCTL: Group = Group {
    name: "sysctl",
    entry: "NAME",
    doc: in_reference(
        "A sysctl. It is set before the OS starts, and written to /etc/sysctl.d because the OS may load its module later.",
    ),
    fields: &[field!(
        "", Privileged, OneLine => { |settings, name, text, source| {
            let (name, value) = (sysctl(name)?, OneLine::read(text)?);
            let slot = settings.node.sysctls.entry(name);
            slot.or_insert_with(|| Sourced::default_of(String::new())).set(value, source.clone());
            Ok(())
        } },
        "Its value: `sysctl.\"net.ipv4.ip_forward\" = 1`."
    )],
    show: |settings| {
        let mut rows = Vec::new();
        for (name, value) in &settings.node.sysctls {
            Rows { rows: &mut rows, prefix: "sysctl".to_owned() }.add::<OneLine>(name, Some(value));
        }
        rows
    },
};

pub(super) static UNIT: Group = Group {
    name: "unit",
    entry: "NAME",
    doc: "A systemd unit, by its full name: `unit.\"thing.service\".enable`. A drop-in is a file. In an image with OpenRC, `thing.service` is \
          the service `thing`, and only `enable` can be set; its script is a file.",
    fields: &[
        field!(
            "content", Privileged, Text => (unit.content),
            "Its text, written to /etc/systemd/system. Without it, the unit must exist in the image."
        ),
        field!(
            "enable", Privileged, YesNo => (unit.enable),
            "Whether it starts at boot, as the unit's own `[Install]` says (OpenRC: in the runlevel `default`)."
        ),
    ],
    show: |settings| {
        let mut rows = Vec::new();
        for (name, unit) in &settings.node.units {
            let mut row = Rows { rows: &mut rows, prefix: format!("unit.{name}") };
            row.add::<Text>("content", unit.content.as_ref());
            row.add::<YesNo>("enable", unit.enable.as_ref());
        }
        rows
    },
};

fn file<'a>(settings: &'a mut Settings, path: &str) -> Result<&'a mut FileSettings, String> {
    let path = Path::read(path)?;
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

fn sysctl(name: &str) -> Result<String, String> {
    let fits = !name.is_empty()
        && name.split(['.', '/']).all(|part| !part.is_empty())
        && name.bytes().all(|b| b.is_ascii_graphic() && !b"=#;*?[]\\".contains(&b));
    if fits { Ok(name.to_owned()) } else { Err(format!("{name:?} is not the name of a kernel parameter")) }
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
