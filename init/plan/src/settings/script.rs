//! Scripts from Git repositories.

use std::time::Duration;

use super::groups::{Field, Group, Rows, size};
use super::keys::put;
use super::value::parse_seconds;
use super::{Settings, Shown};
use crate::{Secret, Sourced, Stage, in_reference};

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// The repository.
    pub git: Option<Sourced<String>>,
    /// The branch; the repository's own choice where there is none.
    pub branch: Option<Sourced<String>>,
    /// The program in it; `run.sh`.
    pub program: Option<Sourced<String>>,
    /// Between two pulls; 300 s.
    pub interval: Option<Sourced<Duration>>,
    /// A private key for ssh.
    pub ssh_key: Option<Sourced<Secret>>,
    /// The server's keys.
    pub known_hosts: Option<Sourced<String>>,
}

macro_rules! field {
    ($name:literal $kind:literal $secret:literal $doc:literal |$script:ident, $text:ident, $source:ident| $set:expr) => {
        Field {
            name: $name,
            kind: $kind,
            doc: in_reference($doc),
            stage: Stage::Root,
            secret: $secret,
            clear: None,
            set: |settings, entry, $text, $source| {
                check_name(entry)?;
                let $script = settings.scripts.entry(entry.to_owned()).or_default();
                $set;
                Ok(())
            },
        }
    };
}

/// The group `script`.
pub(super) static GROUP: Group = Group {
    name: "script",
    entry: "NAME",
    doc: in_reference(
        "A Git repository whose program runs when the OS is up, and again when it has something new: by a systemd timer, or by an OpenRC service and cron.",
    ),
    fields: &[
        field!("git" "https:// or ssh:// URL, or user@host:path" false "The repository, on a server that proves who it is. Its tree is /var/lib/dayfly/scripts/NAME, cloned anew at each boot; one that was changed there, or whose history does not follow from it, is refused and left alone."
            |script, text, source| put(&mut script.git, repository(text)?, source)),
        field!("branch" "name" false "The branch; the repository's own choice where nothing is said."
            |script, text, source| put(&mut script.branch, branch(text)?, source)),
        field!("program" "path in the repository" false "What is run, in the tree; `run.sh`."
            |script, text, source| put(&mut script.program, super::keys::relative(text)?, source)),
        field!("interval" "seconds" false "Between two pulls; 300. cron rounds up to minutes or hours."
            |script, text, source| put(&mut script.interval, parse_seconds(text)?, source)),
        field!("ssh_key" "private key" true "For ssh; it is written to /run, 0600."
            |script, text, source| put(&mut script.ssh_key, Secret::new(text), source)),
        field!("known_hosts" "lines of known_hosts" false "The keys by which the ssh server is known, sshd(8); without them no ssh server is trusted."
            |script, text, source| put(&mut script.known_hosts, text.to_owned(), source)),
    ],
    show,
};

fn show(settings: &Settings) -> Vec<Shown> {
    let mut rows = Vec::new();
    for (name, script) in &settings.scripts {
        let mut row = Rows { rows: &mut rows, prefix: format!("script.{name}") };
        row.add("git", script.git.as_ref(), Clone::clone);
        row.add("branch", script.branch.as_ref(), Clone::clone);
        row.add("program", script.program.as_ref(), Clone::clone);
        row.add("interval", script.interval.as_ref(), |interval| interval.as_secs().to_string());
        row.add("ssh_key", script.ssh_key.as_ref(), ToString::to_string);
        row.add("known_hosts", script.known_hosts.as_ref(), |hosts| size(hosts));
    }
    rows
}

fn check_name(name: &str) -> Result<(), String> {
    let fits = (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !name.starts_with('-');
    if fits { Ok(()) } else { Err(format!("\"{name}\" is not a name of letters, digits, - and _")) }
}

fn word(text: &str) -> Result<String, String> {
    if text.is_empty()
        || text.starts_with('-')
        || text.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(format!(
            "{text:?} is not a word that Git takes: it is empty, starts with \"-\", or has a space"
        ));
    }
    Ok(text.to_owned())
}

/// The name of a branch or tag: no refspec, no revision (git-check-ref-format(1)).
fn branch(text: &str) -> Result<String, String> {
    let name = word(text)?;
    let is_odd = name.contains(['~', '^', ':', '?', '*', '[', '\\', '+'])
        || ["..", "@{", "//"].iter().any(|odd| name.contains(odd))
        || name.starts_with('/')
        || name.ends_with(['/', '.'])
        || name == "@";
    if is_odd { Err(format!("\"{name}\" is not the name of a branch or tag")) } else { Ok(name) }
}

/// What git(1) clones from, as far as it is somebody else's machine that proves who it is: what comes from there runs as
/// root. Options, other transports (`ext::`, `file://`) and what a shell or ssh(1) would take for an option are kept out.
pub(super) fn repository(text: &str) -> Result<String, String> {
    let text = word(text)?;
    let refuse = |what: &str| {
        Err(format!("{what}; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected"))
    };
    let not_one = || refuse(&format!("\"{text}\" is not a repository"));
    let Some((scheme, rest)) = text.split_once("://") else {
        let is_scp = text.split_once(':').is_some_and(|(host, path)| {
            let parts = host.split_once('@');
            !host.contains('/')
                && !path.starts_with([':', '-'])
                && !path.is_empty()
                && parts.is_some_and(is_peer)
        });
        return if is_scp { Ok(text) } else { not_one() };
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    // The user of ssh is no secret; in https, what stands there is a password or a token.
    if let Some((user, _)) = authority.rsplit_once('@')
        && (scheme != "ssh" || user.contains(':'))
    {
        return Err("a URL with a password is refused: everybody can read it".to_owned());
    }
    match scheme.as_str() {
        "https" | "ssh" if is_peer(authority.split_once('@').unwrap_or(("git", authority))) => Ok(text),
        "http" | "git" => refuse(&format!(
            "\"{text}\" is fetched without protection, so anybody on the way could have anything run as root"
        )),
        _ => not_one(),
    }
}

/// A user and a host that cannot be taken for an option (CVE-2017-1000117).
fn is_peer((user, host): (&str, &str)) -> bool {
    let is_word = |word: &str| !word.is_empty() && !word.starts_with('-') && !word.contains('@');
    is_word(user) && is_word(host)
}
