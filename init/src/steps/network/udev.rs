//! In an initramfs with udev, waits until udev has named an interface. A later rename would make the name in all
//! records wrong, and before Linux 6.2 an interface that is up cannot be renamed.

use std::collections::BTreeMap;
use std::time::Duration;

use dayfly_plan::paths;
use dayfly_sys::{Link, own};

use crate::context::Context;
use crate::events::Level;

/// The longest wait for udev per interface; it normally takes milliseconds.
const WAIT: Duration = Duration::from_secs(3);

/// The udevd of this machine, if any, and since when each interface waits for it.
pub struct Udev {
    runs: bool,
    since: BTreeMap<u32, Duration>,
}

impl Udev {
    /// Checks whether udevd runs.
    pub fn find(cx: &Context) -> Self {
        // If this cannot be checked, do not wait for udevd.
        let runs = matches!(cx.sys.inspect(&own(paths::UDEV_CONTROL)), Ok(Some(_)));
        Self { runs, since: BTreeMap::new() }
    }

    /// True if the name of the interface is final, or the wait timed out.
    pub fn is_done_with(&mut self, cx: &Context, link: &Link) -> bool {
        let record = || own(paths::UDEV_DATA).join(format!("n{}", link.index));
        if !self.runs || matches!(cx.sys.inspect(&record()), Ok(Some(_))) {
            return true;
        }
        let now = cx.sys.now();
        let since = *self.since.entry(link.index).or_insert(now);
        let is_late = now.saturating_sub(since) >= WAIT;
        if is_late {
            cx.note(
                Level::Warning,
                format!("{}: udev did not finish with it within {} s", link.name, WAIT.as_secs()),
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
        tells("explanation/dracut.md", &format!("for {} s at most", WAIT.as_secs()));
    }
}
