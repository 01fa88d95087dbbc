//! Every call to the machine panics in turn. A panic becomes the failure of its step, under the policy of that step, in
//! any thread and with any lock held. Other threads wait for the panicked one only until their own deadline.

mod machine;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};

use dayfly_init::boot::Ended;
use dayfly_init::panic;
use dayfly_plan::Way;
use libtest_mimic::{Arguments, Trial};
use machine::{End, Machine, Node, Panic, sha256, squashfs};

fn main() {
    let tests: [(&str, fn()); 4] = [
        ("a_panic_is_its_steps_failure", a_panic_is_its_steps_failure),
        ("a_panic_under_dracut_is_its_steps_failure", a_panic_under_dracut_is_its_steps_failure),
        (
            "a_panic_on_an_installed_disk_is_its_steps_failure",
            a_panic_on_an_installed_disk_is_its_steps_failure,
        ),
        (
            "a_panic_while_others_wait_for_its_result_keeps_nobody_waiting",
            a_panic_while_others_wait_for_its_result_keeps_nobody_waiting,
        ),
    ];
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit();
}

/// Installs the product's panic hook, except for the threads of the tests themselves. A panicked thread is parked while
/// its machine exists.
fn hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if panic::deliver(info).is_err() {
                return previous(info);
            }
            machine::hang_for_good();
        }));
    });
}

fn cmdline() -> String {
    format!(
        "root=live:http://10.0.2.2/os.squashfs ip=dhcp rd.retry=200 rd.timeout=3 dayfly.image.sha256={} \
         dayfly.kubelet.enabled dayfly.report=http://log.example/boots dayfly.report_wait=2 \
         dayfly.file./etc/app.conf.content=x dayfly.sysctl.kernel.panic=10 panic=1",
        sha256(&squashfs(3 << 20))
    )
}

/// Boots with a call that panics. Returns how the boot ended, and the machine with boot.json if the log survived.
fn boot(way: Way, panic: Option<Panic>) -> (End, Arc<Machine>) {
    hook();
    let machine = Machine::new_for(way, &cmdline());
    if way == Way::Root {
        let mut state = machine.state();
        state.attach_ext4("vdd", "var");
        state.put(Path::new("/etc/fstab"), Node::File(b"LABEL=var /var ext4 defaults 0 2\n".to_vec()));
    }
    machine.state().panic = panic;
    let end = machine.boot_by(way);
    (end, machine)
}

/// Checks the effect of the panic against the step's policy: `go on`, `retry` or `fail`, or the part of the boot
/// outside of steps.
fn judge(way: Way, panic: &Panic) -> Result<&'static str, String> {
    let (end, machine) = boot(way, Some(panic.clone()));
    let judged = look(way, panic, &end, &machine);
    machine.forget();
    judged
}

fn look(way: Way, panic: &Panic, end: &End, machine: &Machine) -> Result<&'static str, String> {
    let state = machine.state();
    let story = || {
        format!(
            "{panic:?} ended in {end:?}\n{}\n{:?}",
            state.screens,
            state.log.iter().rev().take(8).collect::<Vec<_>>()
        )
    };
    let on_main = state.screens.contains("(step: PID 1)");
    let lost = state.log.iter().any(|(_, line)| line.contains("no boot.json and boot.log will be written"));
    let good = matches!(end, End::Exec(_) | End::Returned(Ended::Left));
    let expected =
        if way == Way::Dracut { End::Returned(Ended::Failed) } else { End::Power(dayfly_sys::Power::Reboot) };
    if !good && *end != expected {
        return Err(story());
    }
    if on_main || (way == Way::Dracut && !good && state.screens.is_empty()) {
        return Ok("main");
    }
    if lost {
        return if good { Ok("log") } else { Err(story()) };
    }
    drop(state);
    let report = machine.report();
    let state = machine.state();
    let story = || format!("{panic:?} ended in {end:?}\n{}\n{report:#}", state.screens);
    let policies: BTreeMap<&str, &str> = report["plan"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["step"].as_str().unwrap(), row["on_failure"].as_str().unwrap()))
        .collect();
    let steps = report["steps"].as_array().unwrap();
    let Some(row) = steps.iter().find(|row| row["failure"]["code"] == "init.panic") else {
        // In a helper thread, whose loss is reported to the step with another error.
        return if good || state.screens.contains("panic at") { Ok("helper") } else { Err(story()) };
    };
    let (outcome, policy) = (row["outcome"].as_str().unwrap(), policies[row["step"].as_str().unwrap()]);
    let (kind, right) = match policy.split(' ').next().unwrap() {
        "go" => ("go on", outcome == "tolerated" && good),
        "retry" => ("retry", outcome == "retried" && good),
        _ => {
            ("fail", outcome == "failed" && !good && state.screens.contains("Code:             init.panic\n"))
        }
    };
    if right { Ok(kind) } else { Err(story()) }
}

/// Lets each call panic once. Returns the number of outcomes of each kind.
fn every_call_panics(way: Way) -> BTreeMap<&'static str, usize> {
    let (end, machine) = boot(way, None);
    assert!(matches!(end, End::Exec(_) | End::Returned(Ended::Left)), "{end:?}: {:#?}", machine.state().log);
    let calls: BTreeSet<String> = machine.state().calls.iter().cloned().collect();
    let panics: Vec<Panic> = calls.into_iter().map(|call| Panic { call, times: 1 }).collect();
    println!("{} calls", panics.len());
    let panics = Arc::new(panics);
    let next = Arc::new(AtomicUsize::new(0));
    let seen = Arc::new(Mutex::new((BTreeMap::new(), Vec::new())));
    // The simulated time advances only when all threads wait, so more boots in parallel are faster.
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (panics, next, seen) = (Arc::clone(&panics), Arc::clone(&next), Arc::clone(&seen));
            std::thread::spawn(move || {
                while let Some(panic) = panics.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judged = judge(way, panic);
                    let mut seen = seen.lock().unwrap();
                    match judged {
                        Ok(kind) => *seen.0.entry(kind).or_insert(0) += 1,
                        Err(story) => seen.1.push(story),
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let (kinds, wrong) = std::mem::take(&mut *seen.lock().unwrap());
    println!("{kinds:?}");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), panics.len(), wrong.join("\n\n"));
    kinds
}

fn a_panic_is_its_steps_failure() {
    let kinds = every_call_panics(Way::Initramfs);
    for kind in ["go on", "retry", "fail", "main", "log", "helper"] {
        assert!(kinds.contains_key(kind), "no panic had the outcome {kind}: {kinds:?}");
    }
}

fn a_panic_under_dracut_is_its_steps_failure() {
    assert!(every_call_panics(Way::Dracut).contains_key("go on"));
}

fn a_panic_on_an_installed_disk_is_its_steps_failure() {
    assert!(every_call_panics(Way::Root).contains_key("go on"));
}

/// One step makes a value and others wait for it. After a panic, the next one makes it.
fn a_panic_while_others_wait_for_its_result_keeps_nobody_waiting() {
    for call in
        ["read /proc/sys/kernel/osrelease", "load_module /lib/modules/6.1.0-fake/kernel/virtio_net.ko"]
    {
        let (end, machine) = boot(Way::Initramfs, Some(Panic { call: call.to_owned(), times: 1 }));
        assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{call}: {:#?}", machine.state().log);
        let said = machine.state().log.iter().filter(|(_, line)| line.contains("init.panic")).count();
        assert_eq!(said, 1, "{call}: {:#?}", machine.state().log);
    }
}
