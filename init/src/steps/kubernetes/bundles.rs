//! Links the bundles of container images that the OS image contains, so that nothing is pulled or copied.

use std::path::Path;

use dayfly_plan::Code;
use dayfly_sys::{FileKind, SysError};

use crate::Failure;
use crate::context::Context;
use crate::events::Level;
use crate::trees::OS;

/// Links every file of the image's directory into the directory from which the runtime imports. Existing files stay.
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
            Ok(false) => cx.note(Level::Info, format!("{link} exists already and is not replaced")),
            // If something else is at this path, only this bundle is lost: its images are pulled.
            Err(error) => cx.tolerate(&failed(error)),
        }
    }
    Ok(count)
}
