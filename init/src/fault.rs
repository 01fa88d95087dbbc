//! Faults on purpose, for the tests of the failure path; only in builds with the feature `fault`.
//! `dayfly.fault=panic:STEP` or `dayfly.fault=hang:STEP` on the kernel command line.

use std::path::Path;
use std::time::Duration;

use dayfly_sys::Sys;

use crate::Failure;
use crate::context::Context;

/// Breaks the step that the command line names.
pub(crate) fn strike<S: Sys>(cx: &Context<S>) -> Result<(), Failure> {
    let cmdline = cx.sys.read(Path::new("/proc/cmdline")).unwrap_or_default();
    let cmdline = dayfly_wire::cmdline::Cmdline::parse(&String::from_utf8_lossy(&cmdline));
    let fault = cmdline.last("dayfly.fault").and_then(|word| word.value.clone()).unwrap_or_default();
    match fault.split_once(':') {
        #[allow(clippy::panic, reason = "this is what the fault is")]
        Some(("panic", step)) if step == cx.step => panic!("a fault on purpose"),
        Some(("hang", step)) if step == cx.step => loop {
            cx.sys.sleep(Duration::from_secs(3600));
        },
        _ => Ok(()),
    }
}
