//! Runs as PID 1, in an initramfs or on a mounted root (`init=`), and boots. Or boots on behalf of dracut's module,
//! which calls `dayfly-init dracut`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use dayfly_init::DEFAULT_PAUSE;
use dayfly_init::boot::{Ended, boot};
use dayfly_plan::Way;
use dayfly_sys::pid1::{self, Signal};
use dayfly_sys::{Kernel, Power, Sys};

/// This allocator prints the size of an allocation that failed before the process aborts.
#[global_allocator]
static ALLOCATOR: pid1::Allocator = pid1::Allocator;

/// Time limit for a restart by signal, so that a disk or console that hangs cannot prevent it.
const SIGNAL_LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    if pid1::is_pid1() {
        as_pid1()
    } else if std::env::args_os().skip(1).eq(["dracut"]) {
        under_dracut()
    } else {
        eprintln!(
            "dayfly-init {} runs as process 1 (the init of an initramfs, or init= on an installed disk), or in an initramfs of dracut's \
             as `dayfly-init dracut`; `dayfly explain` shows what it would do.",
            env!("CARGO_PKG_VERSION")
        );
        ExitCode::FAILURE
    }
}

/// Boots up to the new root under /sysroot, in an initramfs with its own PID 1. The exit status says whether the root
/// is ready; the error is on the consoles.
fn under_dracut() -> ExitCode {
    let sys: Arc<dyn Sys> = Arc::new(Kernel::new());
    dayfly_init::panic::guard(Arc::clone(&sys), Way::Dracut);
    let early: Vec<_> = pid1::unlimit_kmsg().err().into_iter().collect();
    match boot(&sys, Way::Dracut, &early) {
        Ended::Left => ExitCode::SUCCESS,
        Ended::Failed => ExitCode::FAILURE,
    }
}

fn as_pid1() -> ExitCode {
    let sys: Arc<dyn Sys> = Arc::new(Kernel::new());
    dayfly_init::panic::guard(Arc::clone(&sys), Way::Initramfs);
    let mut errors = pid1::early_mounts();
    // This comes first: if process 1 ends for any reason from here on, the kernel restarts the machine.
    let pause = pid1::set_panic_timeout(DEFAULT_PAUSE).unwrap_or_else(|error| {
        errors.push(error);
        Some(DEFAULT_PAUSE)
    });
    errors.extend(pid1::handle_faults(pause).err());
    let way = if pid1::is_initramfs() { Way::Initramfs } else { Way::Root };
    errors.extend(pid1::open_console().err());
    errors.extend(pid1::unblock_stderr().err());
    errors.extend(pid1::unlimit_kmsg().err());
    errors.extend(pid1::disable_ctrl_alt_del().err());
    let watched = pid1::watch_signals({
        let sys = Arc::clone(&sys);
        move |signal| {
            sys.end_within(Power::Reboot, SIGNAL_LIMIT);
            sys.show(&format!("\ndayfly: {}: the machine restarts.\n", describe(signal)));
            let error = sys.power(Power::Reboot);
            sys.show(&format!("{error}\n"));
        }
    });
    if let Err(error) = watched {
        errors.push(error);
        errors.extend(pid1::enable_ctrl_alt_del().err());
    }
    errors.extend(pid1::keep_power().err());
    boot(&sys, way, &errors);
    // The kernel refused to end the machine. Process 1 must not exit, because the kernel would panic.
    loop {
        sys.sleep(Duration::from_secs(60));
        sys.log(2, "dayfly: the boot failed and the kernel refuses to restart the machine; power-cycle it");
    }
}

fn describe(signal: Signal) -> &'static str {
    match signal {
        Signal::CtrlAltDel => "Ctrl-Alt-Del was pressed",
        Signal::Terminate => "process 1 was asked to end (SIGTERM)",
        Signal::PowerFails => "the power is failing (SIGPWR)",
    }
}
