//! The build time of the initramfs, the floor of the clock.

use dayfly_plan::paths;
use dayfly_sys::{Files, Sys, own};

use crate::events::{Events, Level};

/// When the initramfs was built, in seconds since 1970. `None` if it does not say that.
pub fn build_time(sys: &dyn Files) -> Option<u64> {
    let bytes = sys.read(&own(paths::BUILD)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().find_map(|line| line.strip_prefix("epoch=")?.parse().ok())
}

/// A machine without a clock battery starts in 1970, where no certificate is valid. The current time cannot be before
/// the time when the initramfs was built, so the clock is set to that time at least. Returns whether it was before.
pub fn raise(sys: &dyn Sys, events: &Events) -> bool {
    let Some(built) = build_time(sys).filter(|built| sys.clock() < *built) else { return false };
    let said = match sys.set_clock(std::time::Duration::from_secs(built)) {
        Ok(()) => format!(
            "the clock was set to a time before the initramfs was built; set it to the build time, {built} s since 1970"
        ),
        Err(error) => error.to_string(),
    };
    events.note(Level::Warning, None, said);
    true
}
