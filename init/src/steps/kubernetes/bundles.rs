//! Bundles of container images that the image brings along: nothing has to be pulled, and nothing is copied.

use std::path::Path;

use dayfly_plan::Code;
use dayfly_sys::{FileKind, Sys, SysError};

use crate::Failure;
use crate::context::Context;
use crate::events::Level;
use crate::trees::OS;

/// Links every file of the image's folder into the one that is imported from. A file that is there stays.
pub fn link<S: Sys>(cx: &Context<S>, from: &str, to: &str) -> Result<usize, Failure> {
    let tried = format!("link the bundles of {from} into {to}");
    let failed = |error: SysError| Failure::from_sys(Code::NodeWrite, &tried, &error);
    let folder = OS.at(from);
    let entries = cx.sys.list(&folder).map_err(failed)?;
    let mut count = 0;
    for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
        let link = OS.at(format!("{to}/{}", entry.name));
        if matches!(cx.sys.inspect(&link).map_err(failed)?, Some(FileKind::File(_))) {
            cx.note(Level::Info, format!("{to}/{} is there already, and stays", entry.name));
            continue;
        }
        cx.sys.symlink(Path::new(&format!("{from}/{}", entry.name)), &link).map_err(failed)?;
        count += 1;
    }
    Ok(count)
}
