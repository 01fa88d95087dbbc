//! Tests of the fake machine's clock, on which all other tests here rely.

mod machine;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use dayfly_sys::Platform;
use machine::Machine;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn time_passes_at_once_when_all_wait() {
    let machine = Machine::new("");
    let took = machine.wait_for(|took| {
        let sleepers: Vec<_> = [2, 1, 3]
            .into_iter()
            .map(|hours| {
                let machine = Arc::clone(&machine);
                thread::spawn(move || {
                    machine.sleep(HOUR * hours);
                    machine.took()
                })
            })
            .collect();
        thread::spawn(move || {
            let each = sleepers.into_iter().map(|sleeper| sleeper.join().unwrap());
            took.send(each.collect::<Vec<_>>());
        });
    });
    assert_eq!(took, Some(vec![HOUR * 2, HOUR, HOUR * 3]));
}

#[test]
fn time_stands_still_while_a_thread_computes() {
    let machine = Machine::new("");
    let was_done = machine.wait_for(|was_done| {
        let is_done = Arc::new(AtomicBool::new(false));
        thread::spawn({
            let is_done = Arc::clone(&is_done);
            move || {
                // This thread never uses the machine.
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(300) {
                    std::hint::spin_loop();
                }
                is_done.store(true, Ordering::SeqCst);
            }
        });
        let machine = Arc::clone(&machine);
        thread::spawn(move || {
            machine.sleep(Duration::from_nanos(1));
            was_done.send(is_done.load(Ordering::SeqCst));
        });
    });
    assert_eq!(was_done, Some(true));
}

#[test]
fn who_is_woken_waits_no_longer() {
    let machine = Machine::new("");
    let took = machine.wait_for(|took| {
        let waits = {
            let machine = Arc::clone(&machine);
            thread::spawn(move || {
                machine.park(HOUR * 2);
                took.send(machine.took());
            })
        };
        let machine = Arc::clone(&machine);
        thread::spawn(move || {
            machine.sleep(HOUR);
            waits.thread().unpark();
        });
    });
    assert_eq!(took, Some(HOUR));
}

#[test]
fn who_waits_for_nothing_is_noticed() {
    let machine = Machine::new("");
    let (_held, never) = channel::<()>();
    let answer = machine.wait_for(|answer| {
        thread::spawn(move || {
            if never.recv().is_ok() {
                answer.send(());
            }
        });
    });
    assert_eq!(answer, None);
    assert_eq!(machine.took(), Duration::ZERO);
}
