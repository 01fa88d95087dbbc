//! The simulated time of the machine. It stands still while the boot works, and jumps to the next wake-up when all its
//! threads wait. So the speed and load of the host do not affect the boot: no deadline passes on a busy host, and no
//! test waits for real time.
//!
//! One thread advances the clocks of all machines that are in use, when all other threads wait. It asks the kernel for
//! the state of each thread ([`threads`]). A thread that waits for the machine's time is in the list of its clock with
//! its wake-up time. A thread that waits for another thread, or hangs for good, is not in the list. If all threads wait
//! and none has a wake-up time, the boot hangs.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::threads;

/// The uptime at the start of the boot.
const START: Duration = Duration::from_secs(2);
/// A boot that did not end after this much simulated time never ends.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A boot that computes for this much real time never ends. The limit is high, because a busy host is slow.
const STUCK: Duration = Duration::from_secs(30 * 60);
/// A boot that nothing can wake for this much real time hangs. A single check is not enough: while a thread starts or ends, the kernel's
/// list of threads may lack one that runs.
const HANG: Duration = Duration::from_secs(2);
/// The interval of checks whether all threads wait: at first, and at most.
const LOOKS: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(20)];

thread_local! {
    /// The clock that this thread uses.
    static OWN: RefCell<Option<Arc<Clock>>> = const { RefCell::new(None) };
}

pub struct Clock {
    time: Mutex<Time>,
    ended: Condvar,
}

struct Time {
    now: Duration,
    /// The waiting threads with their wake-up times.
    waiting: Vec<(Duration, Thread)>,
    /// Whether the boot is over: the OS runs, or the power is off. No thread of the boot continues then.
    is_over: bool,
}

impl Clock {
    pub fn new() -> Self {
        let time = Time { now: START, waiting: Vec::new(), is_over: false };
        Self { time: Mutex::new(time), ended: Condvar::new() }
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called at every use of the machine: the calling thread uses this clock, and ends if the machine has ended.
    pub fn look(self: &Arc<Self>) {
        OWN.with_borrow_mut(|own| *own = Some(Arc::clone(self)));
        self.leave_if_over();
    }

    fn leave_if_over(&self) {
        // A second panic during unwinding would abort the tests.
        if self.time().is_over && !std::thread::panicking() {
            vanish()
        }
    }

    pub fn now(&self) -> Duration {
        self.time().now
    }

    /// The simulated duration of the boot so far.
    pub fn took(&self) -> Duration {
        self.now().saturating_sub(START)
    }

    pub fn sleep(&self, limit: Duration) {
        let until = self.now().saturating_add(limit);
        loop {
            let time = self.time();
            if time.now >= until || time.is_over {
                break;
            }
            let left = until.saturating_sub(time.now);
            drop(time);
            self.park(left);
        }
        self.leave_if_over();
    }

    /// Like [`std::thread::park_timeout`].
    pub fn park(&self, limit: Duration) {
        let thread = std::thread::current();
        let mut time = self.time();
        if !time.is_over {
            let until = time.now.saturating_add(limit);
            time.waiting.push((until, thread.clone()));
            drop(time);
            std::thread::park();
            time = self.time();
            time.waiting.retain(|(_, other)| other.id() != thread.id());
        }
        drop(time);
        self.leave_if_over();
    }

    /// Blocks while the machine exists.
    pub fn hang(&self) {
        let ended = self.ended.wait_while(self.time(), |time| !time.is_over);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
        self.leave_if_over();
    }

    /// Ends every thread at its next use of the machine, and waiting threads at once.
    pub fn end(&self) {
        let mut time = self.time();
        time.is_over = true;
        time.waiting.iter().for_each(|(_, thread)| thread.unpark());
        self.ended.notify_all();
    }

    /// Waits for the result of other threads, and advances the time meanwhile; `None` if no result can ever come.
    pub fn drive<T: Send + 'static>(self: &Arc<Self>, start: impl FnOnce(Answer<T>)) -> Option<T> {
        let (sender, answers) = channel();
        let hung = sender.clone();
        // The receiver may be gone; ignore the error, here and below.
        let hung = Box::new(move || drop(hung.send(None)));
        start(Answer(sender));
        let last = self.now() + DAY;
        driven().push(Driven { clock: Arc::clone(self), last, stuck: None, hung });
        move_clocks();
        let answer = answers.recv_timeout(STUCK);
        driven().retain(|driven| !Arc::ptr_eq(&driven.clock, self));
        answer.ok().flatten()
    }

    /// Jumps to the next wake-up, if there is one until `last`.
    fn jump(&self, last: Duration) -> bool {
        let mut time = self.time();
        let Some(next) = time.waiting.iter().map(|(until, _)| *until).min().filter(|next| *next <= last)
        else {
            return false;
        };
        time.now = next;
        time.waiting.iter().filter(|(until, _)| *until <= next).for_each(|(_, thread)| thread.unpark());
        true
    }
}

/// The sender for a result that [`Clock::drive`] waits for.
pub struct Answer<T>(Sender<Option<T>>);

impl<T> Answer<T> {
    pub fn send(&self, value: T) {
        drop(self.0.send(Some(value)));
    }
}

/// Like [`Clock::hang`], for a panicked thread. It unwinds when its machine has ended.
pub fn hang_for_good() {
    let own = OWN.with_borrow(Clone::clone);
    own.expect("a panicked thread has used its machine before").hang();
}

/// The number of threads that wait for events outside of the simulation.
static OUTSIDE: AtomicUsize = AtomicUsize::new(0);

/// Runs a function that waits for events outside of the simulation. The simulated time stands still meanwhile.
pub fn outside<T>(wait: impl FnOnce() -> T) -> T {
    OUTSIDE.fetch_add(1, Ordering::SeqCst);
    let done = wait();
    OUTSIDE.fetch_sub(1, Ordering::SeqCst);
    done
}

/// Ends the thread by unwinding without the panic hook, because this is not a panic.
pub fn vanish() -> ! {
    std::panic::resume_unwind(Box::new("the machine has ended"))
}

/// A clock that a thread is driving.
struct Driven {
    clock: Arc<Clock>,
    /// The latest simulated time.
    last: Duration,
    /// Since when a check finds that nothing can wake the boot.
    stuck: Option<Instant>,
    /// Called if no result can ever come.
    hung: Box<dyn Fn() + Send>,
}

static DRIVEN: Mutex<Vec<Driven>> = Mutex::new(Vec::new());
static MORE: Condvar = Condvar::new();

fn driven() -> MutexGuard<'static, Vec<Driven>> {
    DRIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that advances the clocks, or wakes it.
fn move_clocks() {
    static MOVER: Once = Once::new();
    MOVER.call_once(|| {
        std::thread::spawn(|| {
            let [shortest, longest] = LOOKS;
            let mut pause = shortest;
            loop {
                std::thread::sleep(pause);
                // Hold the lock during the check. Otherwise a boot that starts meanwhile could count as hanging.
                let driven = MORE.wait_while(driven(), |driven| driven.is_empty());
                let mut driven = driven.unwrap_or_else(PoisonError::into_inner);
                if !threads::all_wait(|| OUTSIDE.load(Ordering::SeqCst) == 0) {
                    pause = longest.min(pause * 2);
                    continue;
                }
                pause = shortest;
                for driven in driven.iter_mut() {
                    if driven.clock.jump(driven.last) {
                        driven.stuck = None;
                    } else if driven.stuck.get_or_insert_with(Instant::now).elapsed() >= HANG {
                        (driven.hung)();
                    }
                }
            }
        });
    });
    MORE.notify_one();
}
