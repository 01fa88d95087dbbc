//! Tests of a real process 1: this program starts itself in a pid namespace. Needs root.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dayfly_sys::pid1::{self, Signal};
use dayfly_sys::{Devices, Kernel, Mount, MountFlags, Platform, own};

fn main() -> ExitCode {
    if pid1::is_pid1() {
        let (tell, hear) = channel();
        pid1::watch_signals(move |signal| tell.send(signal).unwrap()).unwrap();
        return inside(&Kernel::new(), &hear);
    }
    // `cargo test -- NAME` and `--list` also call this program; it is one test.
    let myself = std::env::current_exe().unwrap();
    let arguments =
        ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--propagation", "private"];
    // Start it like the kernel starts process 1: no signal ignored, whatever this program inherited (nohup ignores
    // SIGHUP).
    let status = Command::new("env")
        .args(["--default-signal", "unshare"])
        .args(arguments)
        .arg(myself)
        .status()
        .expect("env of coreutils 8.31 and unshare of util-linux");
    // The shell that process 1 executes at the end exits with 42 if all checks passed.
    assert_eq!(status.code(), Some(42), "process 1 (needs root): {status}");
    println!("test pid1 ... ok");
    ExitCode::SUCCESS
}

const PANIC: &str = "/proc/sys/kernel/panic";

fn shell(kernel: &Kernel, script: &str, limit: Option<Duration>) -> i32 {
    kernel.run(Path::new("/bin/sh"), &["-c", script], limit).unwrap()
}

/// The dead processes of this namespace that were not reaped.
fn zombies() -> usize {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.unwrap().path().join("stat")).ok())
        .filter(|stat| stat.contains(") Z "))
        .count()
}

fn inside(kernel: &Kernel, signals: &Receiver<Signal>) -> ExitCode {
    // Do not write to the host's console.
    let (source, target) = (own("/dev/null"), own("/dev/console"));
    kernel.mount(&Mount::Bind { source, target, recursive: false, flags: MountFlags::default() }).unwrap();

    assert_eq!(shell(kernel, "exit 7", None), 7);
    assert_eq!(shell(kernel, "kill -KILL $$", None), 128 + 9);
    let gone = kernel.run(Path::new("/no/such/program"), &[], None).unwrap_err();
    assert_eq!(gone.to_string(), "run /no/such/program: No such file or directory (os error 2)");

    let start = kernel.now();
    assert_eq!(shell(kernel, "sleep 60 & sleep 60", Some(Duration::from_millis(200))), 128 + 9);
    assert!(kernel.now().saturating_sub(start) < Duration::from_secs(5), "the limit holds");

    // Many programs at once, each with an orphan that dies before or after it: every caller gets the right status.
    std::thread::scope(|scope| {
        for code in 1..=4 {
            scope.spawn(move || {
                for round in 0..20 {
                    let script = format!("(sleep 0.0{}; exit 99) & exit {code}", round % 4);
                    assert_eq!(shell(kernel, &script, Some(Duration::from_secs(20))), code);
                }
            });
        }
    });
    let start = kernel.now();
    while zombies() > 0 {
        assert!(
            kernel.now().saturating_sub(start) < Duration::from_secs(5),
            "{} orphans are not reaped",
            zombies()
        );
        kernel.sleep(Duration::from_millis(20));
    }

    for (number, expected) in
        [("INT", Signal::CtrlAltDel), ("TERM", Signal::Terminate), ("PWR", Signal::PowerFails)]
    {
        assert_eq!(shell(kernel, &format!("kill -{number} 1"), None), 0);
        assert_eq!(signals.recv_timeout(Duration::from_secs(5)), Ok(expected));
    }

    // The environment of a program: no signal blocked or ignored, only its three descriptors, its own session. Signal
    // 32 is reserved by the C library; some environments pass it on as ignored. A shell keeps copies above 9 of
    // descriptors that it redirects.
    let clean = "grep -Eq '^SigBlk:\\s*0+$' /proc/self/status && grep -Eq '^SigIgn:\\s*0{8}[08]0{7}$' /proc/self/status";
    let fds =
        "for fd in 3 4 5 6 7 8 9 250 251 252 253 254 255; do test ! -e /proc/$$/fd/$fd || exit 43; done";
    let session = "test $(cut -d' ' -f6 /proc/$$/stat) = $$";
    // A descriptor that is not close-on-exec.
    let stray = fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&stray, rustix::io::FdFlags::empty()).unwrap();
    for check in [clean, session, fds] {
        assert_eq!(shell(kernel, check, None), 0, "{check}");
    }

    // The kernel's panic timeout is set if it is not configured, and reset for the OS. The test uses a file, because it
    // must not change the host's value.
    let folder = std::env::temp_dir().join(format!("dayfly-pid1-{}", kernel.now().as_nanos()));
    fs::create_dir(&folder).unwrap();
    for (name, text, target) in [("panic", "0\n", PANIC), ("cmdline", "quiet", "/proc/cmdline")] {
        fs::write(folder.join(name), text).unwrap();
        let (source, target) = (own(folder.join(name)), own(target));
        kernel
            .mount(&Mount::Bind { source, target, recursive: false, flags: MountFlags::default() })
            .unwrap();
    }
    fs::remove_dir_all(folder).unwrap();
    let pause = Duration::from_secs(10);
    assert_eq!(pid1::set_panic_timeout(pause), Ok(Some(pause)));
    assert_eq!(fs::read_to_string(PANIC).unwrap().trim(), "10");

    // After a failed exec, everything still works.
    let error = kernel.exec(Path::new("/no/such/init"), &[]);
    assert_eq!(error.to_string(), "exec /no/such/init: No such file or directory (os error 2)");
    assert_eq!(shell(kernel, "kill -TERM 1", None), 0);
    assert_eq!(signals.recv_timeout(Duration::from_secs(5)), Ok(Signal::Terminate));
    assert_eq!(fs::read_to_string(PANIC).unwrap().trim(), "10");

    let given_back = format!("test \"$(cat {PANIC})\" = 0");
    let script = format!("test $$ = 1 && {clean} && {fds} && {given_back} && exit 42; exit 44");
    let error = kernel.exec(Path::new("/bin/sh"), &["-c".into(), script]);
    panic!("{error}");
}
