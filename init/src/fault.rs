//! Injected faults for tests of the failure paths. Only in builds with the feature `fault`. `dayfly.fault=WHAT:STEP` on
//! the kernel command line, where WHAT is `panic`, `hang`, `overflow`, `memory`, `abort` or `exit`.

use std::time::Duration;

use dayfly_sys::{Sys, own};

use crate::Failure;
use crate::context::Context;

/// Injects the fault if the kernel command line names this step.
pub(crate) fn strike(cx: &Context) -> Result<(), Failure> {
    let cmdline = cx.sys.read(&own("/proc/cmdline")).unwrap_or_default();
    let cmdline = dayfly_formats::cmdline::Cmdline::parse(&String::from_utf8_lossy(&cmdline));
    let fault = cmdline.last("dayfly.fault").and_then(|word| word.value.clone()).unwrap_or_default();
    match fault.split_once(':') {
        #[allow(clippy::panic, reason = "the injected fault")]
        Some(("panic", step)) if step == cx.step.name() => panic!("an injected fault"),
        Some(("overflow", step)) if step == cx.step.name() => Err(overflow(&[0; 4096])),
        Some(("memory", step)) if step == cx.step.name() => {
            // More memory than any machine has, allocated in a way that cannot return an error.
            let bytes = vec![1_u8; usize::try_from(i64::MAX).unwrap_or(usize::MAX)];
            Err(Failure::new(
                dayfly_plan::Code::InitPanic,
                "allocate memory",
                format!("{} bytes", bytes.len()),
            ))
        }
        Some(("abort", step)) if step == cx.step.name() => std::process::abort(),
        // Process 1 exits without a message, so the kernel panics.
        #[allow(clippy::exit, reason = "the injected fault")]
        Some(("exit", step)) if step == cx.step.name() => std::process::exit(3),
        Some(("hang", step)) if step == cx.step.name() => loop {
            cx.sys.sleep(Duration::from_secs(3600));
        },
        _ => Ok(()),
    }
}

/// Recurses until the stack overflows.
#[allow(unconditional_recursion, reason = "the injected fault")]
fn overflow(room: &[u8; 4096]) -> Failure {
    let mut more = *std::hint::black_box(room);
    more[0] = more[0].wrapping_add(1);
    let failure = overflow(&more);
    // The value is used after the call, so the compiler cannot turn the recursion into a loop.
    std::hint::black_box(&more);
    failure
}
