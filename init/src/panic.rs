//! A panic must not end PID 1, because then the kernel panics.
//!
//! The release profile aborts after the panic hook, so the hook never returns: it parks the thread for ever, with every
//! lock and handle that the thread holds. The threads that wait for it are notified. A panic in a step's thread becomes
//! the step's failure in the runner. A panic in a helper thread goes to the step that started it. On the main thread,
//! the hook shows the failure screen and restarts the machine; under dracut it ends the process instead, which is not
//! PID 1 there.
//!
//! Therefore no code that can panic (a parser, a call to the machine) may run under a lock that another thread takes.
//! Work that other threads wait for runs inside [`during`], which notifies them of a panic.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use dayfly_plan::{Code, Way};
use dayfly_sys::{Power, Sys};

use crate::failed_boot::{self, DEFAULT_PAUSE};
use crate::{Failure, screen};

/// Extra time for the failure screen, because a console can be stuck.
const SAY: Duration = Duration::from_secs(20);

/// A callback that gets the failure of a panic.
type Port = Box<dyn FnOnce(Failure)>;

thread_local! {
    static PORTS: RefCell<Vec<Port>> = const { RefCell::new(Vec::new()) };
}

/// Registers a callback for a panic of this thread.
pub fn tell(port: impl FnOnce(Failure) + 'static) {
    PORTS.with(|ports| ports.borrow_mut().push(Box::new(port)));
}

/// Registers a callback for a panic of this thread while `work` runs. It is called before the callbacks registered
/// earlier.
pub(crate) fn during<T>(port: impl FnOnce(Failure) + 'static, work: impl FnOnce() -> T) -> T {
    tell(port);
    let done = work();
    PORTS.with(|ports| drop(ports.borrow_mut().pop()));
    done
}

/// Calls the callbacks of this thread, the latest first. Returns the failure if there are none.
pub fn deliver(info: &PanicHookInfo<'_>) -> Result<(), Failure> {
    let failure = describe(info);
    // The list is borrowed only for a push or a pop, which cannot panic.
    let ports = PORTS.try_with(|ports| ports.try_borrow_mut().map(|mut ports| std::mem::take(&mut *ports)));
    let ports = ports.ok().and_then(Result::ok).unwrap_or_default();
    if ports.is_empty() {
        return Err(failure);
    }
    for port in ports.into_iter().rev() {
        port(failure.clone());
    }
    Ok(())
}

/// Installs the panic hook, and the callback for the calling thread, the main one.
pub fn guard(sys: Arc<dyn Sys>, way: Way) {
    tell({
        let sys = Arc::clone(&sys);
        move |failure| {
            if way == Way::Dracut {
                show(&*sys, &failure, failed_boot::DRACUT_NEXT);
                std::process::exit(1);
            }
            restart(&*sys, &failure);
        }
    });
    std::panic::set_hook(Box::new(move |info| {
        if let Err(failure) = deliver(info) {
            // A library's thread: threads that wait for it use a deadline.
            sys.log(2, &line(&failure));
        }
        loop {
            std::thread::park();
        }
    }));
}

/// Handles a panic of the main thread: shows the failure screen and restarts the machine. Returns only if the kernel
/// refuses.
pub fn restart(sys: &dyn Sys, failure: &Failure) {
    sys.end_within(Power::Reboot, DEFAULT_PAUSE + SAY);
    show(sys, failure, &format!("The machine restarts in {} s.", DEFAULT_PAUSE.as_secs()));
    sys.sleep(DEFAULT_PAUSE);
    let error = sys.power(Power::Reboot);
    sys.show(&format!("{error}\n"));
}

fn show(sys: &dyn Sys, failure: &Failure, next: &str) {
    sys.show(&screen::failure("PID 1", failure, next));
    sys.log(2, &line(failure));
}

/// Formats a failure as a line of the kernel log.
pub(crate) fn line(failure: &Failure) -> String {
    format!("dayfly: {}: {} [{}]", failure.tried, failure.wrong, failure.code)
}

fn describe(info: &PanicHookInfo<'_>) -> Failure {
    let payload = info.payload();
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    let place = info.location().map_or_else(String::new, |location| format!(" at {location}"));
    let thread = std::thread::current().name().unwrap_or("a thread").to_owned();
    Failure::new(Code::InitPanic, format!("run {thread}"), format!("panic{place}: {text}"))
}
