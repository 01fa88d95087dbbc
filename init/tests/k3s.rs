//! The preparation of a k3s node, on the fake machine.

mod machine;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use machine::{Machine, Node, State};

const AGENT: [(&str, &str); 2] =
    [("dayfly.k3s.server", "https://10.0.0.1:6443"), ("dayfly.k3s.token", "K10ab::server:s3cret")];
const PASSWORD: &str = "/sysroot/var/lib/rancher/node/password";

fn boot(role: &str, credentials: &[(&str, &str)], prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    Machine::boot_to_the_os(&format!("dayfly.k3s.role={role}"), |state| {
        state.put(Path::new("/run/dayfly/l/usr/bin/k3s"), Node::File(b"\x7fELF".to_vec()));
        state.put(Path::new("/run/dayfly/l/var/lib"), Node::Dir);
        state.hand_in(credentials);
        prepare(state);
    })
}

#[test]
fn an_agent_joins_and_has_the_same_password_again() {
    let machine = boot("agent", &AGENT, |_| {});
    assert_eq!(machine.step("k3s")["outcome"], "done", "{:?}", machine.state().log);
    let unit = machine.file("/sysroot/etc/systemd/system/k3s-agent.service").unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/k3s agent\n"), "{unit}");
    let config = machine.file("/sysroot/etc/rancher/k3s/config.yaml").unwrap();
    let expected = "node-name: \"worker7\"\nserver: \"https://10.0.0.1:6443\"\ntoken-file: \"/run/dayfly/secrets/k3s-token\"\n";
    assert!(config.ends_with(expected), "{config}");
    assert_eq!(machine.file("/run/dayfly/secrets/k3s-token").as_deref(), Some("K10ab::server:s3cret"));
    let password = machine.file(PASSWORD).unwrap();
    {
        let state = machine.state();
        let mode = |path: &str| state.modes[Path::new(path)];
        assert_eq!((mode(PASSWORD), mode("/sysroot/etc/rancher/k3s/config.yaml")), (0o600, 0o600));
        assert_eq!(mode("/run/dayfly/secrets/k3s-token"), 0o600);
        let link = Path::new("/sysroot/etc/rancher/node");
        assert_eq!(state.nodes[link], Node::Symlink(PathBuf::from("/var/lib/rancher/node")));
        assert!(!state.log.iter().any(|(_, line)| line.contains("s3cret") || line.contains(password.trim())));
    }
    // If /var was lost, the password is the one that the server knows. If it was not lost, the password stays, even
    // with a new token.
    let again = boot("agent", &[AGENT[0], ("dayfly.k3s.token", "s3cret")], |_| {});
    assert_eq!(again.file(PASSWORD), Some(password.clone()));
    let kept = boot("agent", &[AGENT[0], ("dayfly.k3s.token", "other")], |state| {
        let path = Path::new("/run/dayfly/l/var/lib/rancher/node/password");
        state.put(path, Node::File(password.as_bytes().to_vec()));
    });
    assert_eq!(kept.file(PASSWORD), Some(password));
}

#[test]
fn a_server_alone_keeps_what_k3s_makes() {
    let config = ("dayfly.k3s.config", "disable:\n- traefik\n");
    let machine = boot("server", &[config, ("dayfly.k3s.images", "/usr/lib/k3s")], |state| {
        state.put(Path::new("/run/dayfly/l/usr/lib/k3s/a.tar.zst"), Node::File(b"tar".to_vec()));
    });
    assert_eq!(machine.step("k3s")["outcome"], "done", "{:?}", machine.state().log);
    let unit = machine.file("/sysroot/etc/systemd/system/k3s.service").unwrap();
    assert!(unit.contains("Type=notify\nExecStart=/usr/bin/k3s server\n"), "{unit}");
    assert_eq!(machine.file(PASSWORD), None, "k3s makes it, in a persistent directory");
    assert!(machine.state().nodes.contains_key(Path::new("/sysroot/var/lib/rancher/node")));
    let more = machine.file("/sysroot/etc/rancher/k3s/config.yaml.d/settings.yaml");
    assert_eq!(more.as_deref(), Some("disable:\n- traefik\n"));
    let link = Path::new("/sysroot/var/lib/rancher/k3s/agent/images/a.tar.zst");
    assert_eq!(machine.state().nodes[link], Node::Symlink(PathBuf::from("/usr/lib/k3s/a.tar.zst")));
}

#[test]
fn what_cannot_join_is_not_started() {
    let no_program = |state: &mut State| drop(state.nodes.remove(Path::new("/run/dayfly/l/usr/bin/k3s")));
    let machine = boot("agent", &AGENT[..1], |_| {});
    assert_eq!(machine.step("k3s")["failure"]["code"], "kubernetes.credentials");
    assert_eq!(machine.file("/sysroot/etc/systemd/system/k3s-agent.service"), None);
    let machine = boot("server", &[], no_program);
    assert_eq!(machine.step("k3s")["failure"]["code"], "kubernetes.program");
}
