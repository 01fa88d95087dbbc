//! Scripts from Git repositories.

use std::time::Duration;

use crate::{Secret, Sourced};

/// Settings of one script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// The repository.
    pub git: Option<Sourced<String>>,
    /// The branch. `None`: the repository's default branch.
    pub branch: Option<Sourced<String>>,
    /// The program in the repository. Default: `run.sh`.
    pub program: Option<Sourced<String>>,
    /// Time between two pulls. Default: 300 s.
    pub interval: Option<Sourced<Duration>>,
    /// A private key for ssh.
    pub ssh_key: Option<Sourced<Secret>>,
    /// The server's keys.
    pub known_hosts: Option<Sourced<String>>,
}
