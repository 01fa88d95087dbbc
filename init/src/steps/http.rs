//! Common parameters of the steps' HTTP requests.

use std::path::PathBuf;

use dayfly_formats::scoped;
use dayfly_plan::{TransferLimits, paths};
use dayfly_sys::{Authorities, Limits, Request, Response, Result, Sys};

use super::network::names;

/// The certificate authorities for servers: the certificates of the initramfs.
pub fn authorities() -> Authorities {
    Authorities::File(PathBuf::from(paths::CA_BUNDLE))
}

/// The time limits for a server, from the plan. A body may take any time while it makes progress.
pub fn limits(limits: TransferLimits) -> Limits {
    Limits { connect: limits.connect, stall: limits.stall, floor: limits.min_rate, within: None }
}

/// Sends a request. If its URL names an interface, by whatever name the OS has for it, the kernel's name is used.
pub fn send(sys: &dyn Sys, mut request: Request) -> Result<Response> {
    if let Some((before, zone, after)) = scoped::split_url(&request.url)
        && let Some(name) = names::current(sys, zone)?
    {
        request.url = format!("{before}%25{name}{after}");
    }
    sys.send(&request)
}
