//! A panic must not end PID 1: the kernel would stop with it.
//!
//! The release profile aborts after a panic's hook, so the hook never returns: a step's thread hands its panic to the
//! runner as the step's failure and stays parked; any other thread shows the screen and restarts the machine. Under dracut
//! it ends the process instead, which is not PID 1 there.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use dayfly_plan::{Code, Way};
use dayfly_sys::{Power, Sys};

use crate::{Failure, policy, screen};

/// How long the screen stays before the restart.
const PAUSE: Duration = Duration::from_secs(10);

/// Whoever wants to know of a thread's panic.
type Port = Box<dyn FnOnce(Failure)>;

thread_local! {
    static PORT: RefCell<Option<Port>> = const { RefCell::new(None) };
}

/// Says who is told if this thread panics.
pub(crate) fn tell(port: impl FnOnce(Failure) + 'static) {
    PORT.with(|slot| slot.replace(Some(Box::new(port))));
}

/// Installs the hook.
pub fn guard<S: Sys>(sys: Arc<S>, way: Way) {
    std::panic::set_hook(Box::new(move |info| {
        let failure = describe(info);
        // A panic while the port is borrowed cannot happen: it is borrowed for this moment only.
        let port = PORT.with(|slot| slot.try_borrow_mut().ok().and_then(|mut port| port.take()));
        if let Some(port) = port {
            port(failure);
        } else {
            sys.log(2, &format!("dayfly: {}: {} [{}]", failure.tried, failure.wrong, failure.code));
            if way == Way::Dracut {
                sys.show(&screen::failure("dayfly", &failure, policy::DRACUT_NEXT));
                std::process::exit(1);
            }
            sys.show(&screen::failure("PID 1", &failure, "The machine restarts in 10 s."));
            sys.sleep(PAUSE);
            let error = sys.power(Power::Reboot);
            sys.show(&format!("{error}\n"));
        }
        loop {
            std::thread::park();
        }
    }));
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
    Failure::new(Code::InitPanic, format!("run {thread}"), format!("panic{place}: {text}")).hopeless()
}
