//! A secret as a file: in memory, for root alone, so that it is on no disk and on no command line.

use std::path::Path;

use dayfly_plan::{Secret, paths};
use dayfly_sys::{Sys, SysError};

use crate::context::Context;

/// Writes it; gives back its path, which is the same for the OS.
pub fn write<S: Sys>(cx: &Context<S>, name: &str, secret: &Secret) -> Result<String, SysError> {
    cx.sys.make_dir(Path::new(paths::SECRETS), 0o700)?;
    let path = format!("{}/{name}", paths::SECRETS);
    cx.sys.write(Path::new(&path), secret.expose().as_bytes(), 0o600)?;
    Ok(path)
}
