//! Boots a good image with a settings file, and inspects the resulting files and steps.

use std::path::Path;
use std::sync::Arc;

use super::{End, Machine, Node, State, sha256, squashfs};

fn cmdline(more: &str) -> String {
    let sha256 = sha256(&squashfs(3 << 20));
    format!("root=live:http://10.0.2.2/os.squashfs ip=dhcp dayfly.image.sha256={sha256} {more}")
}

/// Boots with these settings in the initramfs.
pub fn boot(file: &str, more: &str, prepare: impl FnOnce(&mut State)) -> (Arc<Machine>, End) {
    let machine = Machine::new(&cmdline(more));
    let text = format!("version = 1\n{file}");
    machine.state().put(Path::new("/etc/dayfly.toml"), Node::File(text.into_bytes()));
    prepare(&mut machine.state());
    let end = machine.boot();
    (machine, end)
}

pub fn good(file: &str, more: &str, prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let (machine, end) = boot(file, more, prepare);
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
    machine
}

pub fn file(machine: &Machine, path: &str) -> String {
    match machine.state().nodes.get(Path::new(path)) {
        Some(Node::File(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{path} is {other:?}"),
    }
}

/// A step's outcome and detail, or the message of a failed step.
pub fn step(machine: &Machine, name: &str) -> (String, String) {
    let report = machine.report();
    let row = report["steps"].as_array().unwrap().iter().rfind(|row| row["step"] == name).unwrap();
    let words = row["failure"]["wrong"].as_str().or(row["detail"].as_str()).unwrap();
    (row["outcome"].as_str().unwrap().to_owned(), words.to_owned())
}
