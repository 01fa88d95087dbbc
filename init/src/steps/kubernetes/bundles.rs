//! Bundles of container images that the image brings along: nothing has to be pulled, and nothing is copied.

use std::path::Path;

use dayfly_plan::Code;
use dayfly_sys::{FileKind, SysError};

use crate::Failure;
use crate::context::Context;
use crate::events::Level;
use crate::trees::OS;

/// Links every file of the image's folder into the one that is imported from. A file that is there stays.
pub fn link(cx: &Context, from: &str, to: &str) -> Result<usize, Failure> {
    let tried = format!("link the bundles of {from} into {to}");
    let failed = |error: SysError| Failure::from_sys(Code::NodeWrite, &tried, &error);
    let folder = OS.at(from);
    let entries = cx.sys.list(&folder).map_err(failed)?;
    let mut count = 0;
    for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
        let link = OS.at(format!("{to}/{}", entry.name));
        let linked = cx.sys.inspect(&link).and_then(|there| match there {
            Some(FileKind::File(_)) => Ok(false),
            _ => cx.sys.symlink(Path::new(&format!("{from}/{}", entry.name)), &link).map(|()| true),
        });
        match linked {
            Ok(true) => count += 1,
            Ok(false) => cx.note(Level::Info, format!("{link} is there already, and stays")),
            // What a user of the node has there costs that bundle: its images are pulled.
            Err(error) => cx.tolerate(&failed(error)),
        }
    }
    Ok(count)
}
