//! What the requests of the steps have in common.

use std::path::PathBuf;

use dayfly_plan::{Patience, paths};
use dayfly_sys::{Authorities, Limits};

/// Who signs servers: the certificates of the initramfs.
pub fn authorities() -> Authorities {
    Authorities::File(PathBuf::from(paths::CA_BUNDLE))
}

/// How long a server is borne with, as the plan says; a body may take as long as it moves.
pub fn limits(patience: Patience) -> Limits {
    Limits { connect: patience.connect, stall: patience.stall, floor: patience.min_rate, within: None }
}
