//! Common parameters of the steps' HTTP requests.

use std::path::PathBuf;

use dayfly_plan::{TransferLimits, paths};
use dayfly_sys::{Authorities, Limits};

/// The certificate authorities for servers: the certificates of the initramfs.
pub fn authorities() -> Authorities {
    Authorities::File(PathBuf::from(paths::CA_BUNDLE))
}

/// The time limits for a server, from the plan. A body may take any time while it makes progress.
pub fn limits(limits: TransferLimits) -> Limits {
    Limits { connect: limits.connect, stall: limits.stall, floor: limits.min_rate, within: None }
}
