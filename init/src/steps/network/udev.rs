//! In an initramfs with udev, an interface is left alone until udev has given it its name: a name that changed under us
//! would be wrong in every record, and before Linux 6.2 an interface that is up cannot be renamed at all.

use std::collections::BTreeMap;
use std::time::Duration;

use dayfly_plan::paths;
use dayfly_sys::{Link, own};

use crate::context::Context;
use crate::events::Level;

/// How long udev gets for one interface; it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// The udevd of this machine, if there is one, and since when each interface waits for it.
pub struct Udev {
    runs: bool,
    since: BTreeMap<u32, Duration>,
}

impl Udev {
    /// Looks whether one runs.
    pub fn find(cx: &Context) -> Self {
        // Where it cannot be found out, none is waited for.
        let runs = matches!(cx.sys.inspect(&own(paths::UDEV_CONTROL)), Ok(Some(_)));
        Self { runs, since: BTreeMap::new() }
    }

    /// True where the interface's name is final, or has been waited for long enough.
    pub fn is_done_with(&mut self, cx: &Context, link: &Link) -> bool {
        let record = || own(paths::UDEV_DATA).join(format!("n{}", link.index));
        if !self.runs || matches!(cx.sys.inspect(&record()), Ok(Some(_))) {
            return true;
        }
        let now = cx.sys.now();
        let since = *self.since.entry(link.index).or_insert(now);
        let is_late = now.saturating_sub(since) >= PATIENCE;
        if is_late {
            cx.note(
                Level::Warning,
                format!("{}: udev is not done with it after {} s", link.name, PATIENCE.as_secs()),
            );
        }
        is_late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tells;

    #[test]
    fn the_page_tells_how_long_udev_gets() {
        tells("explanation/dracut.md", &format!("for {} s at most", PATIENCE.as_secs()));
    }
}
