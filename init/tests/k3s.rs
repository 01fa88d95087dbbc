//! How a node of k3s is prepared, on the fake machine.

mod machine;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use machine::{End, Machine, Node, State, sha256, squashfs};

const AGENT: [(&str, &str); 2] =
    [("dayfly.k3s.server", "https://10.0.0.1:6443"), ("dayfly.k3s.token", "K10ab::server:s3cret")];
const PASSWORD: &str = "/sysroot/var/lib/rancher/node/password";

fn boot(role: &str, credentials: &[(&str, &str)], prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let cmdline = format!(
        "root=live:http://10.0.2.2/os.squashfs ip=dhcp dayfly.k3s.role={role} dayfly.image.sha256={}",
        sha256(&squashfs(3 << 20))
    );
    let (machine, ends) = Machine::new(&cmdline, 1);
    {
        let mut state = machine.state();
        state.put(Path::new("/run/dayfly/l/usr/bin/k3s"), Node::File(b"\x7fELF".to_vec()));
        state.put(Path::new("/run/dayfly/l/var/lib"), Node::Dir);
        state.hand_in(credentials);
        prepare(&mut state);
    }
    let end = machine.boot(&ends, Duration::from_secs(20));
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
    machine
}

fn file(machine: &Machine, path: &str) -> Option<String> {
    match machine.state().nodes.get(Path::new(path)) {
        Some(Node::File(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

fn step(machine: &Machine) -> serde_json::Value {
    let report = machine.report();
    report["steps"].as_array().unwrap().iter().find(|step| step["step"] == "k3s").unwrap().clone()
}

#[test]
fn an_agent_joins_and_has_the_same_password_again() {
    let machine = boot("agent", &AGENT, |_| {});
    assert_eq!(step(&machine)["outcome"], "done", "{:?}", machine.state().log);
    let unit = file(&machine, "/sysroot/etc/systemd/system/k3s-agent.service").unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/k3s agent\n"), "{unit}");
    let config = file(&machine, "/sysroot/etc/rancher/k3s/config.yaml").unwrap();
    let expected = "node-name: \"worker7\"\nserver: \"https://10.0.0.1:6443\"\ntoken-file: \"/run/dayfly/secrets/k3s-token\"\n";
    assert!(config.ends_with(expected), "{config}");
    assert_eq!(file(&machine, "/run/dayfly/secrets/k3s-token").as_deref(), Some("K10ab::server:s3cret"));
    let password = file(&machine, PASSWORD).unwrap();
    {
        let state = machine.state();
        let mode = |path: &str| state.modes[Path::new(path)];
        assert_eq!((mode(PASSWORD), mode("/sysroot/etc/rancher/k3s/config.yaml")), (0o600, 0o600));
        assert_eq!(mode("/run/dayfly/secrets/k3s-token"), 0o600);
        let link = Path::new("/sysroot/etc/rancher/node");
        assert_eq!(state.nodes[link], Node::Symlink(PathBuf::from("/var/lib/rancher/node")));
        assert!(!state.log.iter().any(|(_, line)| line.contains("s3cret") || line.contains(password.trim())));
    }
    // /var was lost: the password is the one that the server knows. It was kept: it stays, whatever the token is now.
    let again = boot("agent", &[AGENT[0], ("dayfly.k3s.token", "s3cret")], |_| {});
    assert_eq!(file(&again, PASSWORD), Some(password.clone()));
    let kept = boot("agent", &[AGENT[0], ("dayfly.k3s.token", "other")], |state| {
        let path = Path::new("/run/dayfly/l/var/lib/rancher/node/password");
        state.put(path, Node::File(password.as_bytes().to_vec()));
    });
    assert_eq!(file(&kept, PASSWORD), Some(password));
}

#[test]
fn a_server_alone_keeps_what_k3s_makes() {
    let config = ("dayfly.k3s.config", "disable:\n- traefik\n");
    let machine = boot("server", &[config, ("dayfly.k3s.images", "/usr/lib/k3s")], |state| {
        state.put(Path::new("/run/dayfly/l/usr/lib/k3s/a.tar.zst"), Node::File(b"tar".to_vec()));
    });
    assert_eq!(step(&machine)["outcome"], "done", "{:?}", machine.state().log);
    let unit = file(&machine, "/sysroot/etc/systemd/system/k3s.service").unwrap();
    assert!(unit.contains("Type=notify\nExecStart=/usr/bin/k3s server\n"), "{unit}");
    assert_eq!(file(&machine, PASSWORD), None, "k3s makes it, in a folder that stays");
    assert!(machine.state().nodes.contains_key(Path::new("/sysroot/var/lib/rancher/node")));
    let more = file(&machine, "/sysroot/etc/rancher/k3s/config.yaml.d/settings.yaml");
    assert_eq!(more.as_deref(), Some("disable:\n- traefik\n"));
    let link = Path::new("/sysroot/var/lib/rancher/k3s/agent/images/a.tar.zst");
    assert_eq!(machine.state().nodes[link], Node::Symlink(PathBuf::from("/usr/lib/k3s/a.tar.zst")));
}

#[test]
fn what_cannot_join_is_not_started() {
    let no_program = |state: &mut State| drop(state.nodes.remove(Path::new("/run/dayfly/l/usr/bin/k3s")));
    let machine = boot("agent", &AGENT[..1], |_| {});
    assert_eq!(step(&machine)["failure"]["code"], "kubernetes.credentials");
    assert_eq!(file(&machine, "/sysroot/etc/systemd/system/k3s-agent.service"), None);
    let machine = boot("server", &[], no_program);
    assert_eq!(step(&machine)["failure"]["code"], "kubernetes.program");
}
