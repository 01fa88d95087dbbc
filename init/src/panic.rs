//! A panic must not end PID 1: the kernel would stop with it.
//!
//! The release profile aborts after a panic's hook, so the hook never returns: the thread is parked for ever, with every lock and
//! handle that it holds, and whoever waits for it is told. A step's thread hands its panic to the runner, as the step's failure under
//! the step's own ending; a thread that helps a step hands it to the step. The main thread shows the screen and restarts the machine;
//! under dracut it ends the process instead, which is not PID 1 there.
//!
//! So nothing that can panic (a parser, a call to the machine) runs under a lock that another thread takes; what others wait for
//! is done within [`during`], which tells them.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use dayfly_plan::{Code, Way};
use dayfly_sys::{Power, Sys};

use crate::failed_boot::{self, DEFAULT_PAUSE};
use crate::{Failure, screen};

/// How long the screen may take on top: a console can be stuck.
const SAY: Duration = Duration::from_secs(20);

/// Whoever wants to know of a thread's panic.
type Port = Box<dyn FnOnce(Failure)>;

thread_local! {
    static PORTS: RefCell<Vec<Port>> = const { RefCell::new(Vec::new()) };
}

/// Says who is told if this thread panics.
pub fn tell(port: impl FnOnce(Failure) + 'static) {
    PORTS.with(|ports| ports.borrow_mut().push(Box::new(port)));
}

/// Says who is told, before all others, if this thread panics in `work`.
pub(crate) fn during<T>(port: impl FnOnce(Failure) + 'static, work: impl FnOnce() -> T) -> T {
    tell(port);
    let done = work();
    PORTS.with(|ports| drop(ports.borrow_mut().pop()));
    done
}

/// Tells all who want to know of this thread's panic, the latest first; gives the failure back where nobody does.
pub fn deliver(info: &PanicHookInfo<'_>) -> Result<(), Failure> {
    let failure = describe(info);
    // Nothing panics while the list is borrowed: it is borrowed for a push or a pop only.
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

/// Installs the hook, and says what the panic of this thread, the main one, means.
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
            // A library's thread: whoever waits for it does so with a deadline.
            sys.log(2, &line(&failure));
        }
        loop {
            std::thread::park();
        }
    }));
}

/// Shows the screen and restarts the machine: what a panic of the main thread comes to. Returns only if the kernel refuses.
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

/// A failure as a line of the kernel log.
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
