//! Faults on purpose, for the tests of the failure path; only in builds with the feature `fault`.
//! `dayfly.fault=WHAT:STEP` on the kernel command line, with `panic`, `hang`, `overflow`, `memory`,
//! `abort` or `exit`.

use std::time::Duration;

use dayfly_sys::{Sys, own};

use crate::Failure;
use crate::context::Context;

/// Breaks the step that the command line names.
pub(crate) fn strike(cx: &Context) -> Result<(), Failure> {
    let cmdline = cx.sys.read(&own("/proc/cmdline")).unwrap_or_default();
    let cmdline = dayfly_formats::cmdline::Cmdline::parse(&String::from_utf8_lossy(&cmdline));
    let fault = cmdline.last("dayfly.fault").and_then(|word| word.value.clone()).unwrap_or_default();
    match fault.split_once(':') {
        #[allow(clippy::panic, reason = "this is what the fault is")]
        Some(("panic", step)) if step == cx.step.name() => panic!("a fault on purpose"),
        Some(("overflow", step)) if step == cx.step.name() => Err(overflow(&[0; 4096])),
        Some(("memory", step)) if step == cx.step.name() => {
            // More than any machine has, by an allocation that cannot say no.
            let bytes = vec![1_u8; usize::try_from(i64::MAX).unwrap_or(usize::MAX)];
            Err(Failure::new(
                dayfly_plan::Code::InitPanic,
                "have no memory",
                format!("{} bytes", bytes.len()),
            ))
        }
        Some(("abort", step)) if step == cx.step.name() => std::process::abort(),
        // Process 1 is gone without a word: what is left is the kernel's panic.
        #[allow(clippy::exit, reason = "this is what the fault is")]
        Some(("exit", step)) if step == cx.step.name() => std::process::exit(3),
        Some(("hang", step)) if step == cx.step.name() => loop {
            cx.sys.sleep(Duration::from_secs(3600));
        },
        _ => Ok(()),
    }
}

/// Goes down until the stack ends.
#[allow(unconditional_recursion, reason = "this is what the fault is")]
fn overflow(room: &[u8; 4096]) -> Failure {
    let mut more = *std::hint::black_box(room);
    more[0] = more[0].wrapping_add(1);
    let failure = overflow(&more);
    // What is used after the call keeps it from becoming a loop.
    std::hint::black_box(&more);
    failure
}
