//! The report of a boot that is sent, and the history that is stored.

mod machine;

use std::path::{Path, PathBuf};

use dayfly_sys::Power;
use machine::configured::file;
use machine::{End, Machine, Node, sha256, squashfs};

const URL: &str = "root=live:http://10.0.2.2/os.squashfs ip=dhcp";

fn good_cmdline() -> String {
    format!("{URL} rd.retry=20 dayfly.image.sha256={} dayfly.kubelet.enabled", sha256(&squashfs(3 << 20)))
}

#[test]
fn a_boot_is_reported_and_kept() {
    let cmdline = format!("{} dayfly.report=http://log.example/boots", good_cmdline());
    let machine = Machine::new(&cmdline);
    let history = Path::new("/sysroot/var/log/dayfly");
    for number in 1..=20 {
        let old = history.join(format!("{number:06}.json"));
        machine.state().nodes.insert(old, Node::File(b"old".to_vec()));
    }
    machine.state().nodes.insert(history.join("mine.json"), Node::File(b"{}".to_vec()));
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);

    let posted: serde_json::Value = serde_json::from_slice(&machine.state().posted[0]).unwrap();
    assert_eq!(posted["outcome"], "handover");
    assert_eq!(posted["node"]["hostname"], "worker7");
    assert_eq!(posted["node"]["address"], "10.0.2.15");
    assert_eq!(machine.state().posted.len(), 1);
    let kept: serde_json::Value =
        serde_json::from_str(&file(&machine, "/sysroot/var/log/dayfly/000021.json")).unwrap();
    assert_eq!(kept["outcome"], "handover");
    let names: Vec<String> = machine
        .state()
        .nodes
        .keys()
        .filter_map(|path| Some(path.strip_prefix(history).ok()?.display().to_string()))
        .collect();
    assert!(!names.contains(&"000001.json".to_owned()), "the oldest must be removed: {names:?}");
    assert!(
        names.contains(&"000002.json".to_owned()) && names.contains(&"mine.json".to_owned()),
        "{names:?}"
    );
}

/// Regression test: every later record had the name 1000000.json, and the next one replaced it.
#[test]
fn a_record_with_the_last_number_does_not_end_the_history() {
    let machine = Machine::new(&good_cmdline());
    let history = Path::new("/sysroot/var/log/dayfly");
    for name in ["000007.json", "999999.json", "999999.log"] {
        machine.state().nodes.insert(history.join(name), Node::File(b"old".to_vec()));
    }
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
    let state = machine.state();
    let names: Vec<&str> = state
        .nodes
        .keys()
        .filter_map(|path| path.strip_prefix(history).ok()?.to_str())
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(names, ["000001.json", "000001.log"]);
}

#[test]
fn a_report_that_nobody_takes_does_not_hold_the_boot() {
    let cmdline = format!("{} dayfly.report=http://log.example/boots", good_cmdline());
    let machine = Machine::new(&cmdline);
    machine.state().post_status = 503;
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
    let report = machine.report();
    let step = report["steps"].as_array().unwrap().iter().find(|step| step["step"] == "report").unwrap();
    assert_eq!((&step["outcome"], &step["failure"]["code"]), (&"tolerated".into(), &"report.refused".into()));
}

#[test]
fn a_failed_boot_is_reported_and_kept_on_the_state_disk() {
    let machine = Machine::new(
        "root=live:http://10.0.2.2/os.squashfs dayfly.report=http://log.example/boots rd.retry=2",
    );
    machine.state().status = 404;
    machine.state().nodes.insert(PathBuf::from("/run/dayfly/state/var"), Node::Dir);
    assert_eq!(machine.boot(), End::Power(Power::Reboot), "{:?}", machine.state().log);
    let posted: serde_json::Value = serde_json::from_slice(&machine.state().posted[0]).unwrap();
    assert_eq!(
        (&posted["outcome"], &posted["failure"]["code"]),
        (&"failed".into(), &"image.http-status".into())
    );
    let kept = file(&machine, "/run/dayfly/state/var/log/dayfly/000001.json");
    assert!(kept.contains("image.http-status"), "{kept}");
}
