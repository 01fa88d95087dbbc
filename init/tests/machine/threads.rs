//! Checks whether all other threads of this process wait.
//!
//! The product's threads wait for each other with channels, locks and condition variables, which do not call the
//! machine. So the kernel is asked for the state of each thread (proc_pid_status(5)). This needs no guessed delay, and
//! a thread that is ready to run but has no CPU counts as running. A check reads one thread after the other and takes
//! some time. But threads that wait in two checks and were not scheduled in between all waited at a moment between the
//! checks. From then on, only the checking thread can cause anything.
//!
//! It checks all threads of the process and not only those of one machine, because a thread may wait for a lock of the
//! allocator that any other thread holds.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;

const TASKS: &str = "/proc/self/task";
/// No such process, errno(3): a thread ended while its status was read.
const ESRCH: i32 = 3;

/// Whether all threads except the calling one wait, and `and` is true, at one moment.
pub fn all_wait(and: impl FnOnce() -> bool) -> bool {
    let Some(before) = look() else { return false };
    and() && look().is_some_and(|after| after == before)
}

/// The context switch counters of all other threads, as the kernel's text; `None` if one of them runs.
fn look() -> Option<BTreeMap<OsString, String>> {
    let link = fs::read_link("/proc/thread-self").unwrap();
    let own = link.file_name().unwrap();
    let mut switches = BTreeMap::new();
    for task in fs::read_dir(TASKS).unwrap() {
        let thread = task.unwrap().file_name();
        if thread == own {
            continue;
        }
        match fs::read_to_string(format!("{TASKS}/{}/status", thread.display())) {
            Ok(status) => drop(switches.insert(thread, switches_of_waiting(&status)?.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH) => {}
            Err(error) => panic!("{TASKS}/{}/status: {error}", thread.display()),
        }
    }
    Some(switches)
}

/// The context switch counters of a thread that waits or has ended; `None` if it runs, or waits for a disk.
fn switches_of_waiting(status: &str) -> Option<&str> {
    let (_, rest) = status.split_once("\nState:\t").unwrap();
    // Both counters are at the end.
    rest.starts_with(['S', 'Z', 'X']).then(|| &rest[rest.rfind("\nvoluntary_ctxt_switches:").unwrap()..])
}
