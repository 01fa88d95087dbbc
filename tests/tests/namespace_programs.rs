//! Programs of an OS, run in its root before it is up.

mod namespace;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dayfly_sys::{Cause, Kernel, Output, Platform, Tree};
use namespace::{apart, leaked, run};

const LONG: Duration = Duration::from_secs(60);

/// A root with a shell and the folders of an OS.
fn root(scratch: &Path) -> PathBuf {
    let root = scratch.join("root");
    for dir in ["bin", "dev", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    // Copy with another process: a program that another test starts meanwhile would inherit the file open for writing, and a file
    // that is open for writing is not executed (ETXTBSY, execve(2)).
    run("cp", &["/bin/busybox", root.join("bin/busybox").to_str().unwrap()]);
    std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
    root
}

fn sh(kernel: &Kernel, root: &Path, script: &str) -> Output {
    kernel.run_in(Tree::os(leaked(root)), "sh", &["-c", script], LONG).unwrap()
}

#[test]
fn it_finds_itself_in_the_os() {
    apart(|kernel, scratch| {
        let root = root(scratch);
        fs::write(root.join("inside"), "yes").unwrap();
        let before = run("cat", &["/proc/self/mountinfo"]);
        let output = sh(
            kernel,
            &root,
            "cat /inside; pwd; ls /dev/null /proc/self/status /sys/kernel; echo $HOME; umask",
        );
        assert_eq!(output.status, 0, "{output:?}");
        for words in ["yes/\n", "/dev/null", "/proc/self/status", "/root\n0022"] {
            assert!(output.text.contains(words), "{words:?} is not in {output:?}");
        }
        // A program that asks a question gets neither an answer nor a terminal.
        let output = sh(kernel, &root, "read answer || echo nothing; exec 3<>/dev/tty");
        assert!(output.status != 0 && output.text.starts_with("nothing"), "{output:?}");
        // Its mount namespace ended with it.
        assert_eq!(run("cat", &["/proc/self/mountinfo"]), before);

        fs::remove_dir(root.join("sys")).unwrap();
        assert_eq!(sh(kernel, &root, "true").status, 0, "a root without /sys");
        let gone = kernel.run_in(Tree::os(leaked(&root)), "no-such-program", &[], LONG).unwrap_err();
        assert!(gone.is_not_found() && gone.to_string().contains("no-such-program"), "{gone}");
    });
}

/// /usr/local persists on the state disk: its programs ran as root before the OS was up.
#[test]
fn programs_are_the_images_and_not_those_of_the_state_disk() {
    apart(|kernel, scratch| {
        let root = root(scratch);
        fs::create_dir_all(root.join("usr/local/bin")).unwrap();
        fs::create_dir_all(root.join("usr/local/sbin")).unwrap();
        run("cp", &["/bin/busybox", root.join("usr/local/bin/ssh-keygen").to_str().unwrap()]);
        run("cp", &["/bin/busybox", root.join("usr/local/sbin/ssh-keygen").to_str().unwrap()]);
        let error = kernel.run_in(Tree::os(leaked(&root)), "ssh-keygen", &[], LONG).unwrap_err();
        assert!(error.is_not_found(), "{error}");
    });
}

#[test]
fn its_last_words_and_its_status_come_back() {
    apart(|kernel, scratch| {
        let root = root(scratch);
        assert_eq!(
            sh(kernel, &root, "echo one; echo two >&2; exit 7"),
            Output { status: 7, text: "one\ntwo".to_owned() }
        );
        assert_eq!(sh(kernel, &root, "kill -KILL $$").status, 128 + 9);
        // Far more than a pipe can buffer.
        let output = sh(kernel, &root, "busybox yes line | busybox head -n 300000; echo the end");
        assert!(output.text.ends_with("line\nthe end") && output.text.len() <= 4096, "{}", output.text.len());
    });
}

/// Only process 1 has orphans. In any other process, another child has a thread that waits for it.
#[test]
fn a_child_of_somebody_else_is_left_to_them() {
    apart(|kernel, scratch| {
        let root = root(scratch);
        let mut child = Command::new("true").spawn().unwrap();
        let is_dead = || fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap().contains(") Z ");
        let until = Instant::now() + LONG;
        while !is_dead() {
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(sh(kernel, &root, "true").status, 0);
        assert!(child.wait().expect("its status is still there").success());
    });
}

#[test]
fn one_that_does_not_end_is_ended() {
    apart(|kernel, scratch| {
        let root = root(scratch);
        let started = Instant::now();
        let script = "echo started; busybox sleep 300 & busybox sleep 300";
        let error = kernel
            .run_in(Tree::os(leaked(&root)), "/bin/sh", &["-c", script], Duration::from_secs(1))
            .unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(30));
        assert_eq!(error.cause, Cause::TimedOut);
        assert!(error.words.contains("within 1 s and was killed; it said: started"), "{error}");
        // A process that it leaves behind keeps the pipe open, and is ended with it.
        let started = Instant::now();
        let output = sh(kernel, &root, "busybox sleep 300 & echo $!");
        assert!(started.elapsed() < Duration::from_secs(30));
        let pid = output.text;
        let left = Instant::now() + Duration::from_secs(10);
        let runs =
            || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        while runs() && Instant::now() < left {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!runs(), "process {pid} still runs");
    });
}
