//! A mount and a network namespace for one test, on its own thread.

use std::path::Path;
use std::process::Command;

use dayfly_sys::{Devices, Kernel, Mount, MountFlags, own};
use nix::sched::{CloneFlags, unshare};

/// Runs a test that may change mounts and interfaces freely, with a scratch tmpfs. Needs root; the error says so.
pub fn apart<T: Send>(test: impl FnOnce(&Kernel, &Path) -> T + Send) -> T {
    let folder = tempfile::tempdir().expect("a folder for the scratch tmpfs");
    let scratch = folder.path();
    // When the thread ends, the namespaces end with every mount and interface of the test.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
                .expect("a new namespace: these tests need root (`sudo tests/run`)");
            run("mount", &["--make-rprivate", "/"]);
            run("ip", &["link", "set", "lo", "up"]);
            let kernel = Kernel::new();
            kernel.mount(&tmpfs(scratch)).expect("a scratch tmpfs");
            test(&kernel, scratch)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A tmpfs, 0755.
pub fn tmpfs(target: &Path) -> Mount {
    Mount::New {
        fstype: "tmpfs".into(),
        source: "tmpfs".into(),
        target: own(target),
        options: vec![("mode".into(), Some("0755".into()))],
        flags: MountFlags::default(),
    }
}

/// Runs a tool, which must succeed, and returns its output.
pub fn run(program: &str, args: &[&str]) -> String {
    let output =
        Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same through sh, for pipes.
#[allow(dead_code, reason = "each test binary has its own copy of this module")]
pub fn shell(script: &str) -> String {
    run("sh", &["-euc", script])
}

/// A folder of the test as the root of a tree. Roots of trees are static, so a test's folder is leaked.
#[allow(dead_code, reason = "each test binary has its own copy of this module")]
pub fn leaked(folder: &Path) -> &'static str {
    Box::leak(folder.to_str().expect("test folders are UTF-8").to_owned().into_boxed_str())
}
