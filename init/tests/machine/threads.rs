//! Whether all other threads of this process wait.
//!
//! The product's threads wait for each other in channels, locks and condition variables, which are no call to the machine, so the
//! kernel is asked what each thread does (proc_pid_status(5)). No moment of quiet has to be guessed, and a thread that is ready to
//! run and gets no processor counts as what it is: one that runs. A look goes from thread to thread and takes its time; but threads
//! that wait at two looks, and were not switched to in between, all waited at the moment between the looks. Then nothing happens
//! any more but by who looks.
//!
//! It is all threads of the process and not those of one machine: whoever waits for a lock of the allocator waits for any of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;

const TASKS: &str = "/proc/self/task";
/// No such process, errno(3): a thread has ended while its status was read.
const ESRCH: i32 = 3;

/// Whether all threads but the calling one wait, and `and` holds, at one moment.
pub fn all_wait(and: impl FnOnce() -> bool) -> bool {
    let Some(before) = look() else { return false };
    and() && look().is_some_and(|after| after == before)
}

/// How often the kernel has switched from each other thread, in its words; `None` where one of them runs.
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

/// How often the kernel has switched from a thread that waits, or has ended; `None` for one that runs, or waits for a disk.
fn switches_of_waiting(status: &str) -> Option<&str> {
    let (_, rest) = status.split_once("\nState:\t").unwrap();
    // Both kinds are at the end.
    rest.starts_with(['S', 'Z', 'X']).then(|| &rest[rest.rfind("\nvoluntary_ctxt_switches:").unwrap()..])
}
