//! The machine's time: a value that stands still while the boot does something, and jumps to the next wake-up when all its threads
//! wait. How fast the host is, and what else it does, changes nothing of what the boot sees: no deadline passes on a busy host, and
//! no test waits for one.
//!
//! One thread moves the clocks of all machines that somebody waits for, whenever all other threads wait, which the kernel knows of
//! each ([`threads`]). A thread that waits for the machine's time is in its clock with its wake-up. One that waits for another
//! thread is not, and has none; nor has one that hangs for good. Where all wait and nobody has a wake-up, the boot hangs.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use super::threads;

/// How long the kernel had run when the boot begins.
const START: Duration = Duration::from_secs(2);
/// A boot that has not ended after so much of its time never does.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A boot that computes for so long, of the host's time, never ends: minutes are few on a host with fifty others at work.
const STUCK: Duration = Duration::from_secs(30 * 60);
/// How often it is looked whether all wait: at first, and at most seldom.
const LOOKS: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(20)];

thread_local! {
    /// The clock that this thread goes by.
    static OWN: RefCell<Option<Arc<Clock>>> = const { RefCell::new(None) };
}

pub struct Clock {
    time: Mutex<Time>,
    ended: Condvar,
}

struct Time {
    now: Duration,
    /// Who waits, and until when.
    waiting: Vec<(Duration, Thread)>,
    /// Whether the OS runs, or the power is off: no thread of the boot is there any more.
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

    /// Every look at the machine: the calling thread goes by this clock, and ends if the machine has ended.
    pub fn look(self: &Arc<Self>) {
        OWN.with_borrow_mut(|own| *own = Some(Arc::clone(self)));
        self.leave_if_over();
    }

    fn leave_if_over(&self) {
        // A second unwinding would end the tests.
        if self.time().is_over && !std::thread::panicking() {
            vanish()
        }
    }

    pub fn now(&self) -> Duration {
        self.time().now
    }

    /// How long the boot has gone on.
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

    /// As [`std::thread::park_timeout`].
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

    /// Never comes back, as long as the machine is there.
    pub fn hang(&self) {
        let ended = self.ended.wait_while(self.time(), |time| !time.is_over);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
        self.leave_if_over();
    }

    /// Ends every thread at its next look at the machine, and those that wait at once.
    pub fn end(&self) {
        let mut time = self.time();
        time.is_over = true;
        time.waiting.iter().for_each(|(_, thread)| thread.unpark());
        self.ended.notify_all();
    }

    /// Waits for what comes of a work that other threads do, and moves the time meanwhile; `None` where nothing ever will.
    pub fn drive<T: Send + 'static>(self: &Arc<Self>, start: impl FnOnce(Answer<T>)) -> Option<T> {
        let (sender, answers) = channel();
        let hung = sender.clone();
        // Whoever waited may have stopped, here and below.
        let hung = Box::new(move || drop(hung.send(None)));
        start(Answer(sender));
        let last = self.now() + DAY;
        driven().push(Driven { clock: Arc::clone(self), last, hung });
        move_clocks();
        let answer = answers.recv_timeout(STUCK);
        driven().retain(|driven| !Arc::ptr_eq(&driven.clock, self));
        answer.ok().flatten()
    }

    /// To the next wake-up, if there is one up to `last`.
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

/// Where a work that somebody waits for says what came of it.
pub struct Answer<T>(Sender<Option<T>>);

impl<T> Answer<T> {
    pub fn send(&self, value: T) {
        drop(self.0.send(Some(value)));
    }
}

/// As [`Clock::hang`], for a thread that has panicked: it unwinds when its machine has ended.
pub fn hang_for_good() {
    let own = OWN.with_borrow(Clone::clone);
    own.expect("whoever panics has looked at its machine").hang();
}

/// How many threads wait for the world outside, which has a time of its own.
static OUTSIDE: AtomicUsize = AtomicUsize::new(0);

/// Does something that waits for the world outside; the machines' time stands still meanwhile.
pub fn outside<T>(wait: impl FnOnce() -> T) -> T {
    OUTSIDE.fetch_add(1, Ordering::SeqCst);
    let done = wait();
    OUTSIDE.fetch_sub(1, Ordering::SeqCst);
    done
}

/// Unwinds the thread, and past the hook: this is no panic.
pub fn vanish() -> ! {
    std::panic::resume_unwind(Box::new("the machine has ended"))
}

/// A clock that somebody waits for.
struct Driven {
    clock: Arc<Clock>,
    /// Where that ends.
    last: Duration,
    /// Told that nothing ever comes.
    hung: Box<dyn Fn() + Send>,
}

static DRIVEN: Mutex<Vec<Driven>> = Mutex::new(Vec::new());
static MORE: Condvar = Condvar::new();

fn driven() -> MutexGuard<'static, Vec<Driven>> {
    DRIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that moves the clocks, or wakes it.
fn move_clocks() {
    static MOVER: Once = Once::new();
    MOVER.call_once(|| {
        std::thread::spawn(|| {
            let [shortest, longest] = LOOKS;
            let mut pause = shortest;
            loop {
                std::thread::sleep(pause);
                // Held while it looks: a boot that begins meanwhile is not one whose threads all wait.
                let driven = MORE.wait_while(driven(), |driven| driven.is_empty());
                let driven = driven.unwrap_or_else(PoisonError::into_inner);
                if !threads::all_wait(|| OUTSIDE.load(Ordering::SeqCst) == 0) {
                    pause = longest.min(pause * 2);
                    continue;
                }
                pause = shortest;
                for driven in driven.iter() {
                    if !driven.clock.jump(driven.last) {
                        (driven.hung)();
                    }
                }
            }
        });
    });
    MORE.notify_one();
}
