//! The real init as process 1 of a pid namespace, attacked: whatever happens to it, the machine restarts in bounded time after a
//! message. reboot(2) ends such a namespace; its process 1 then seems to be ended by SIGHUP (SIGINT for power off).

mod namespace;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use dayfly_qemu::product::Product;
use namespace::{apart, run};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Much longer than any of the tests takes.
const LIMIT: Duration = Duration::from_secs(90);
const SIGHUP: i32 = 1;

/// The init that supports `dayfly.fault=`, with the release profile.
fn init() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| Product::of_checkout().unwrap().init("fault").expect("the init for fault tests"))
}

/// A terminal: this reads its output, or nothing does.
struct Terminal {
    path: String,
    text: Arc<Mutex<String>>,
    /// Keeps it open: the reader would get an end of file when the last writer closes.
    _writer: File,
    _reader: Option<rustix::fd::OwnedFd>,
}

impl Terminal {
    fn open(is_read: bool) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let flags = libc_flags();
        let mut writer = OpenOptions::new().write(true).custom_flags(flags).open(&path).unwrap();
        let text = Arc::new(Mutex::new(String::new()));
        if !is_read {
            // Fill it: the next writer waits for ever, or gets an error.
            while writer.write(&[b'x'; 1024]).is_ok() {}
            return Self { path, text, _writer: writer, _reader: Some(master) };
        }
        let told = Arc::clone(&text);
        std::thread::spawn(move || {
            let mut master = File::from(master);
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                told.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { path, text, _writer: writer, _reader: None }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

fn libc_flags() -> i32 {
    (rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::NONBLOCK).bits() as i32
}

/// The node's environment. It cannot change the machine's own /proc, /sys and /dev.
const SETUP: &str = r#"
root=$1 init=$2 console=$3 kmsg=$4 fakes=$5 limit=$6
mount -t tmpfs -o mode=755 tmpfs "$root" && cd "$root"
mkdir proc sys dev run && cp "$init" init
mount -t proc proc proc && mount -t tmpfs tmpfs sys && mount -t tmpfs tmpfs dev
mknod -m 666 dev/null c 1 3
touch dev/console dev/tty9 dev/kmsg
mount --bind "$console" dev/console && mount --bind "$console" dev/tty9 && mount --bind "$kmsg" dev/kmsg
mount --bind "$fakes/cmdline" proc/cmdline
mount --bind "$fakes/consoles" proc/consoles
mount --bind "$fakes/panic" proc/sys/kernel/panic
mount --bind "$fakes/devkmsg" proc/sys/kernel/printk_devkmsg
test ! -e proc/sysrq-trigger || mount --bind "$fakes/sysrq" proc/sysrq-trigger
exec $limit chroot . /init
"#;

/// A running node.
struct Node {
    child: Child,
    console: Terminal,
    kmsg: Terminal,
    fakes: tempfile::TempDir,
}

struct Options<'a> {
    cmdline: &'a str,
    /// The kernel's panic timeout before the boot.
    panic: &'a str,
    /// The test reads the output.
    is_read: bool,
    /// A command that limits its resources.
    limit: &'a str,
}

const PLAIN: Options<'_> = Options { cmdline: "", panic: "1\n", is_read: true, limit: "" };

impl Node {
    fn start(scratch: &Path, options: &Options<'_>) -> Self {
        let fakes = tempfile::tempdir_in(scratch).unwrap();
        let root = fakes.path().join("root");
        fs::create_dir(&root).unwrap();
        for (name, text) in [
            ("cmdline", options.cmdline),
            ("consoles", "tty9 -W- (EC p a) 4:9\n"),
            ("panic", options.panic),
            ("devkmsg", "on\n"),
            ("sysrq", ""),
        ] {
            fs::write(fakes.path().join(name), text).unwrap();
        }
        let (console, kmsg) = (Terminal::open(options.is_read), Terminal::open(options.is_read));
        let child = Command::new("env")
            .args([
                "--default-signal",
                "unshare",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount",
                "--net",
                "--uts",
            ])
            .args(["--propagation", "private", "sh", "-euc", SETUP, "setup"])
            .arg(&root)
            .arg(init())
            .args([&console.path, &kmsg.path])
            .arg(fakes.path())
            .arg(options.limit)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, console, kmsg, fakes }
    }

    /// Waits for the end, in time, and returns the status.
    fn end(&mut self) -> ExitStatus {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end: {}\n{}", self.console.text(), self.kmsg.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asserts that the machine restarts.
    fn restarts(&mut self) {
        let status = self.end();
        assert_eq!(status.signal(), Some(SIGHUP), "{status}: {}\n{}", self.console.text(), self.kmsg.text());
    }

    /// Waits for a text, in the kernel log or on the console.
    fn says(&self, words: &str) {
        let until = Instant::now() + LIMIT;
        while !self.kmsg.text().contains(words) && !self.console.text().contains(words) {
            assert!(Instant::now() < until, "{words:?}: {}\n{}", self.console.text(), self.kmsg.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn panic_timeout(&self) -> String {
        fs::read_to_string(self.fakes.path().join("panic")).unwrap()
    }

    /// Its process 1, as a pid of this namespace.
    fn pid(&self) -> u32 {
        let path = format!("/proc/{0}/task/{0}/children", self.child.id());
        fs::read_to_string(path).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // If the test passed, it has ended; its process 1 ends with it (--kill-child).
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_fault_has_a_last_line_and_a_restart() {
    apart(|_, scratch| {
        for (fault, words) in [
            ("overflow", "stack overflow (SIGSEGV at 0x"),
            ("memory", "no memory for 9223372036854775807 bytes (SIGABRT)"),
            ("abort", "a fault (SIGABRT)"),
        ] {
            let cmdline = format!("dayfly.fault={fault}:modules");
            let mut node = Node::start(scratch, &Options { cmdline: &cmdline, ..PLAIN });
            node.restarts();
            let line = "in the thread step modules [init.panic]; the machine restarts in 1 s";
            for text in [node.console.text(), node.kmsg.text()] {
                assert!(text.contains(words) && text.contains(line), "{fault}: {text}");
            }
        }
    });
}

#[test]
fn the_kernel_restarts_the_machine_over_the_death_of_process_1() {
    apart(|_, scratch| {
        for (cmdline, before, after) in [
            ("quiet", "0\n", "10\n"),
            // A timeout that the administrator has set.
            ("panic=0", "0\n", "0\n"),
            ("sysctl.kernel.panic=0", "0\n", "0\n"),
            ("quiet", "-1\n", "-1\n"),
            ("quiet", "300\n", "300\n"),
        ] {
            let cmdline =
                format!("{cmdline} dayfly.fault=hang:modules root=live:http://192.0.2.1/os ip=dhcp");
            let mut node = Node::start(scratch, &Options { cmdline: &cmdline, panic: before, ..PLAIN });
            node.says("modules: load");
            assert_eq!(node.panic_timeout(), after, "{cmdline}: {before:?}");
            // Its status says nothing: the namespace ends with process 1, and may take the sender with it.
            let sent = Command::new("nsenter")
                .args(["--target", &node.pid().to_string(), "--pid", "--", "kill", "-TERM", "1"])
                .status();
            sent.expect("nsenter is installed");
            node.restarts();
        }
    });
}

#[test]
fn a_signal_from_inside_changes_nothing_unless_it_asks_for_a_restart() {
    apart(|_, scratch| {
        let cmdline = "dayfly.fault=hang:modules root=live:http://192.0.2.1/os ip=dhcp";
        let mut node = Node::start(scratch, &Options { cmdline, ..PLAIN });
        node.says("modules: load");
        let pid = node.pid().to_string();
        let signal = |name: &str| run("nsenter", &["--target", &pid, "--pid", "--", "kill", name, "1"]);
        for name in [
            "SEGV", "BUS", "ILL", "FPE", "ABRT", "TRAP", "SYS", "HUP", "QUIT", "USR1", "ALRM", "KILL", "STOP",
        ] {
            signal(&format!("-{name}"));
        }
        // Each was accepted before SIGTERM, which every thread but one blocks.
        signal("-TERM");
        node.restarts();
        let (console, log) = (node.console.text(), node.kmsg.text());
        assert!(console.contains("process 1 was asked to end (SIGTERM): the machine restarts"), "{console}");
        assert!(!console.contains("cannot continue") && !log.contains("cannot continue"), "{console}\n{log}");
    });
}

#[test]
fn a_console_and_a_log_that_nobody_drains_hold_no_restart_up() {
    apart(|_, scratch| {
        let stuck = |cmdline| Node::start(scratch, &Options { cmdline, is_read: false, ..PLAIN });
        // A failed boot, a fault, and keys.
        let mut failed = stuck("panic=1");
        let mut fault = stuck("dayfly.fault=overflow:modules root=live:http://192.0.2.1/os ip=dhcp");
        let mut keys = stuck("dayfly.fault=hang:modules root=live:http://192.0.2.1/os ip=dhcp");
        // It cannot print anything, but accepts Ctrl-Alt-Del once its signals are watched.
        let until = Instant::now() + LIMIT;
        while keys.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end");
            if let Ok(pids) = fs::read_to_string(format!("/proc/{0}/task/{0}/children", keys.child.id()))
                && let Some(pid) = pids.split_whitespace().next()
                && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "init\n")
            {
                // By now it is no longer the shell that sets it up. It may end meanwhile.
                let _ = Command::new("nsenter")
                    .args(["--target", pid, "--pid", "--", "kill", "-INT", "1"])
                    .stderr(Stdio::null())
                    .status();
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        for node in [&mut failed, &mut fault, &mut keys] {
            node.restarts();
        }
    });
}

#[test]
fn a_machine_without_room_for_a_thread_says_so_and_restarts() {
    apart(|_, scratch| {
        // Enough for the program, but not for one more stack.
        let limit = "prlimit --as=6000000:6000000";
        let mut node = Node::start(scratch, &Options { cmdline: "panic=1 root=/dev/vda", limit, ..PLAIN });
        node.restarts();
        let (console, log) = (node.console.text(), node.kmsg.text());
        assert!(log.contains("no boot.json and boot.log will be written: start the log's thread"), "{log}");
        assert!(console.contains("DAYFLY COULD NOT BOOT THIS NODE"), "{console}\n{log}");
    });
}

/// A disk that does not answer: a file system on a file of another file system that is frozen. Writes to it wait for ever, and so do
/// sync(2) and fsync(2).
struct DeadDisk {
    outer: PathBuf,
    inner: PathBuf,
    net: Child,
}

impl DeadDisk {
    fn attach(scratch: &Path) -> Self {
        let (outer, inner) = (scratch.join("outer"), scratch.join("inner"));
        for (folder, image, size) in
            [(&outer, scratch.join("outer.img"), "64M"), (&inner, outer.join("inner.img"), "16M")]
        {
            let (image, folder) = (image.to_str().unwrap(), folder.to_str().unwrap());
            run("truncate", &["-s", size, image]);
            run("mkfs.ext4", &["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image]);
            fs::create_dir_all(folder).unwrap();
            run("mount", &["-o", "loop", image, folder]);
        }
        // If this test is killed: a frozen file system blocks every sync(2) of the machine.
        let thaw = format!("sleep 120; fsfreeze -u {}", outer.display());
        let net = Command::new("setsid").args(["sh", "-c", &thaw]).spawn().unwrap();
        run("fsfreeze", &["--freeze", outer.to_str().unwrap()]);
        let disk = Self { outer, inner, net };
        fs::write(disk.inner.join("dirty"), vec![1; 1 << 20]).unwrap();
        disk
    }
}

impl Drop for DeadDisk {
    fn drop(&mut self) {
        // Also after a failed test: the whole machine's sync(2) waits for this disk.
        let _ = Command::new("fsfreeze").arg("--unfreeze").arg(&self.outer).status();
        let _ = self.net.kill();
        let _ = self.net.wait();
    }
}

/// Whether a process is being killed: a process that hangs in the kernel dies when the call returns.
fn is_killed(pid: u32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let has_kill = |line: &str| {
        line.split_once(":\t").is_some_and(|(name, mask)| {
            matches!(name, "SigPnd" | "ShdPnd")
                && u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 0x100 != 0)
        })
    };
    status.contains("State:\tZ") || status.lines().any(has_kill)
}

#[test]
fn a_disk_that_does_not_answer_holds_no_restart_up() {
    apart(|_, scratch| {
        // Build before the disk hangs: if another process syncs, writes to other disks wait too.
        init();
        let mut node = {
            let disk = DeadDisk::attach(scratch);
            let node = Node::start(scratch, &Options { cmdline: "panic=1", ..PLAIN });
            node.says("DAYFLY COULD NOT BOOT THIS NODE");
            let (pid, said) = (node.pid(), Instant::now());
            while !is_killed(pid) {
                assert!(said.elapsed() < LIMIT, "sync(2) blocks it: {}", node.console.text());
                std::thread::sleep(Duration::from_millis(50));
            }
            assert!(said.elapsed() > Duration::from_secs(8), "sync(2) did not hang, so this tests nothing");
            drop(disk);
            node
        };
        node.restarts();
    });
}
