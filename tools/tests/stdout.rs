//! Commands whose standard output cannot be written.

use std::fs::File;
use std::process::Command;

#[test]
fn a_full_disk_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("os/usr")).unwrap();
    std::fs::create_dir_all(folder.path().join("os/etc")).unwrap();
    let dayfly = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dayfly"));
        command.args(args).current_dir(folder.path());
        command
    };
    assert!(dayfly(&["image", "build", "os", "--output", "www"]).output().unwrap().status.success());
    for args in [
        &["explain", "--cmdline", "root=live:http://192.0.2.1/os"][..],
        &["explain", "--json"],
        &["schema"],
        &["image", "inspect", "www"],
        &["image", "inspect", "www", "--json"],
        &["image", "verify", "www"],
        &["image", "diff", "www", "www"],
        &["image", "build", "os", "--output", "www"],
        &["image", "keys", "new", "site", "--no-password"],
        &["image", "sign", "www", "--key", "site.key"],
    ] {
        let output =
            dayfly(args).stdout(File::options().write(true).open("/dev/full").unwrap()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("dayfly: cannot write to standard output: No space left"), "{args:?}: {said}");
    }
}
