//! Scripts from Git repositories.

use std::time::Duration;

use crate::{Secret, Sourced};

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
