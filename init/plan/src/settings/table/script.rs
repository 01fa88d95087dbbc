//! The group of scripts from Git repositories.

use super::class::KNOWN_HOSTS;
use super::group::{Group, Rows, field};
use super::slot::Shown;
use crate::in_reference;
use crate::settings::value::{BelowRepository, Branch, KnownHosts, PrivateKey, Repository, Seconds};
use crate::settings::wanted::{Script, Settings};

/// The group `script`.
pub(super) static GROUP: Group = Group {
    name: "script",
    entry: "NAME",
    doc: in_reference(
        "A Git repository with a program that runs after the OS has started, and again after each change: by a systemd timer, or by an OpenRC service and cron.",
    ),
    fields: &[
        field!(
            "git", Privileged, Repository => (script.git),
            "The repository, on a server that authenticates itself. Its working tree is /var/lib/dayfly/scripts/NAME, cloned again at each boot. An update is refused if the tree was changed locally, or if the new history does not continue the old one."
        ),
        field!(
            "branch", Privileged, Branch => (script.branch),
            "The branch. The default is the repository's default branch."
        ),
        field!("program", Privileged, BelowRepository => (script.program), "The program to run, in the tree. The default is `run.sh`."),
        field!(
            "interval", Privileged, Seconds => (script.interval),
            "The time between two pulls. The default is 300. cron rounds up to minutes or hours."
        ),
        field!("ssh_key", Privileged, PrivateKey => (script.ssh_key), "The private key for ssh; it is written to /run, 0600."),
        field!(
            "known_hosts", Anchor(KNOWN_HOSTS), KnownHosts => (script.known_hosts),
            "The public keys of the ssh server, sshd(8). Without them, no ssh server is trusted."
        ),
    ],
    show,
};

fn show(settings: &Settings) -> Vec<Shown> {
    let mut rows = Vec::new();
    for (name, script) in &settings.scripts {
        let mut row = Rows { rows: &mut rows, prefix: format!("script.{name}") };
        row.add::<Repository>("git", script.git.as_ref());
        row.add::<Branch>("branch", script.branch.as_ref());
        row.add::<BelowRepository>("program", script.program.as_ref());
        row.add::<Seconds>("interval", script.interval.as_ref());
        row.add::<PrivateKey>("ssh_key", script.ssh_key.as_ref());
        row.add::<KnownHosts>("known_hosts", script.known_hosts.as_ref());
    }
    rows
}

fn script<'a>(settings: &'a mut Settings, name: &str) -> Result<&'a mut Script, String> {
    check_name(name)?;
    Ok(settings.scripts.entry(name.to_owned()).or_default())
}

fn check_name(name: &str) -> Result<(), String> {
    let fits = (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !name.starts_with('-');
    if fits { Ok(()) } else { Err(format!("\"{name}\" is not a name of letters, digits, - and _")) }
}
