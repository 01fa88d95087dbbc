//! Boots under dracut on the fake machine: dracut enters the new root, and after a failure nothing stays mounted.

mod machine;

use std::path::Path;
use std::time::Duration;

use dayfly_init::boot::Ended;
use dayfly_init::trees::{IMAGE, OS, OVERLAY, STATE, WRITABLE};
use dayfly_plan::{Way, paths};
use dayfly_sys::{Cause, Platform, Tree};
use machine::{End, Fault, Machine, Node, sha256, squashfs};

const EINVAL: i32 = 22;

/// With parameters that dracut handles.
fn cmdline() -> String {
    let sha256 = sha256(&squashfs(3 << 20));
    format!(
        "root=live:http://10.0.2.2/os.squashfs ip=dhcp rd.retry=20 rd.break rd.shell dayfly.image.sha256={sha256}"
    )
}

#[test]
fn the_root_is_left_to_dracut() {
    let machine = Machine::new_for(Way::Dracut, &cmdline());
    // dracut opens the shell, not Dayfly.
    machine.state().put(Path::new("/bin/sh"), Node::File(Vec::new()));
    let end = machine.boot_by(Way::Dracut);
    assert_eq!(end, End::Returned(Ended::Left), "{:?}", machine.state().log);
    let report = machine.report();
    assert_eq!(report["outcome"], "handover");
    assert_eq!(report["problems"].as_array().unwrap().len(), 0, "{report:#}");
    let state = machine.state();
    assert!(state.is_mounted(Path::new("/sysroot")) && state.is_mounted(Path::new("/sysroot/usr")));
    assert!(!state.is_mounted(Path::new("/")), "the OS makes the root shared, not Dayfly");
    for theirs in ["switch_root", "exec", "power", "run ", "load_module", "uevents"] {
        assert!(!state.calls.iter().any(|call| call.starts_with(theirs)), "{theirs}: {:?}", state.calls);
    }
    assert_eq!(state.screens, "");
}

#[test]
fn a_failure_leaves_nothing_mounted_and_the_next_try_can_work() {
    for call in ["open_url http://10.0.2.2/os.squashfs", "mount bind read-only /sysroot/usr"] {
        let machine = Machine::new_for(Way::Dracut, &cmdline());
        machine.state().fault = Some(Fault { call: call.to_owned(), cause: Cause::Errno(EINVAL), times: 99 });
        let end = machine.boot_by(Way::Dracut);
        assert_eq!(end, End::Returned(Ended::Failed), "{:?}", machine.state().log);
        {
            let mut state = machine.state();
            let screen = std::mem::take(&mut state.screens);
            for part in ["What was tried:", "What went wrong:", "How to fix it:", "Code:", "dracut continues"]
            {
                assert!(screen.contains(part), "{part} is not in {screen}");
            }
            for place in [OVERLAY, OS, STATE, WRITABLE, IMAGE].map(Tree::root) {
                assert!(!state.is_mounted(Path::new(place)), "{place} after {call}: {:?}", state.mounts);
            }
            assert!(!state.calls.iter().any(|call| call.starts_with("run ") || call.starts_with("power")));
            state.fault = None;
        }
        assert_eq!(machine.report()["outcome"], "failed");
        // After a repair in dracut's shell, the boot is tried again.
        let end = machine.boot_by(Way::Dracut);
        assert_eq!(end, End::Returned(Ended::Left), "{:?}", machine.state().log);
        assert_eq!(machine.report()["outcome"], "handover");
    }
}

#[test]
fn an_interface_keeps_the_name_that_udev_gives_it() {
    let machine = Machine::new_for(Way::Dracut, &cmdline());
    let record = Path::new(paths::UDEV_DATA).join("n2");
    machine.state().nodes.remove(&record);
    let udev = std::thread::spawn({
        let machine = std::sync::Arc::clone(&machine);
        move || {
            // The boot checked for udev's record several times, so it waits.
            let looks =
                |state: &machine::State| state.calls.iter().filter(|call| call.ends_with("/n2")).count();
            while looks(&machine.state()) < 3 {
                machine.sleep(Duration::from_millis(5));
            }
            let mut state = machine.state();
            assert!(
                !state.calls.iter().any(|call| call.starts_with("change_link 2")),
                "changed before udev has named it"
            );
            state
                .links
                .iter_mut()
                .filter(|link| link.index == 2)
                .for_each(|link| link.name = "ens3".to_owned());
            state.put(&record, Node::File(Vec::new()));
        }
    });
    assert_eq!(machine.boot_by(Way::Dracut), End::Returned(Ended::Left));
    udev.join().unwrap();
    let report = machine.report();
    let network = report["steps"].as_array().unwrap().iter().find(|step| step["step"] == "network").unwrap();
    assert!(network["detail"].as_str().unwrap().starts_with("ens3 has "), "{network}");
}

#[test]
fn a_udev_that_never_answers_is_not_waited_for_for_ever() {
    let machine = Machine::new_for(Way::Dracut, &cmdline());
    machine.state().nodes.remove(&Path::new(paths::UDEV_DATA).join("n2"));
    assert_eq!(machine.boot_by(Way::Dracut), End::Returned(Ended::Left));
    assert!(machine.state().log.iter().any(|(_, line)| line.contains("eth0: udev did not finish with it")));
}
