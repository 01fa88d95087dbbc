//! The preparation of a k0s node, on the fake machine.

mod machine;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use machine::{Machine, Node, State};

const WORKER: &str = include_str!("tokens/worker");
const CONTROLLER: &str = include_str!("tokens/controller");
const FOREIGN: &str = include_str!("tokens/foreign");
const CERTIFICATE: &str = include_str!("../formats/src/x509/node.pem");
const UNIT: &str = "/sysroot/etc/systemd/system/k0sworker.service";
const TOKEN: &str = "/run/dayfly/secrets/k0s-token";
const KEPT: &str = "/run/dayfly/l/var/lib/k0s";

/// Boots the fake's worker7 with k0s in its image, this role, and these credentials.
fn boot(role: &str, credentials: &[(&str, &str)], prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    Machine::boot_to_the_os(&format!("dayfly.k0s.role={role}"), |state| {
        state.put(Path::new("/run/dayfly/l/usr/local/bin/k0s"), Node::File(b"\x7fELF".to_vec()));
        state.put(Path::new("/run/dayfly/l/var/lib/k0s"), Node::Dir);
        state.hand_in(credentials);
        prepare(state);
    })
}

/// Adds the files of an earlier boot, for worker7 and signed by the CA of `worker`.
fn keep(state: &mut State) {
    for (name, text) in
        [("kubelet.conf", "kind: Config\n"), ("kubelet/pki/kubelet-client-1.pem", CERTIFICATE)]
    {
        state.put(&Path::new(KEPT).join(name), Node::File(text.as_bytes().to_vec()));
    }
    let target = PathBuf::from("/var/lib/k0s/kubelet/pki/kubelet-client-1.pem");
    state.put(&Path::new(KEPT).join("kubelet/pki/kubelet-client-current.pem"), Node::Symlink(target));
}

fn command(machine: &Machine, unit: &str) -> String {
    let text = machine.file(&format!("/sysroot/etc/systemd/system/{unit}.service")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap().to_owned()
}

#[test]
fn a_worker_joins_by_its_token() {
    let machine = boot("worker", &[("dayfly.k0s.token", WORKER)], |_| {});
    assert_eq!(machine.step("k0s")["outcome"], "done", "{:?}", machine.state().log);
    assert_eq!(
        command(&machine, "k0sworker"),
        "/usr/local/bin/k0s worker --kubelet-extra-args=--volume-plugin-dir=/var/lib/k0s/kubelet-plugins/volume/exec \
         --token-file=/run/dayfly/secrets/k0s-token"
    );
    assert_eq!(machine.file(TOKEN).as_deref(), Some(WORKER.trim()));
    let state = machine.state();
    assert_eq!(state.modes[Path::new(TOKEN)], 0o600);
    assert_eq!(state.modes[Path::new("/run/dayfly/secrets")], 0o700);
    let link = Path::new("/sysroot/etc/systemd/system/multi-user.target.wants/k0sworker.service");
    assert_eq!(state.nodes[link], Node::Symlink(PathBuf::from("../k0sworker.service")));
    for (path, node) in &state.nodes {
        let Node::File(bytes) = node else { continue };
        let found = String::from_utf8_lossy(bytes).contains(WORKER.trim());
        let is_credential = path.starts_with("/sys/firmware");
        assert!(!found || is_credential || path == Path::new(TOKEN), "the token is in {}", path.display());
    }
    assert!(!state.log.iter().any(|(_, line)| line.contains(WORKER.trim())), "the token is in the log");
}

#[test]
fn a_worker_comes_back_with_its_certificate() {
    // With and without a token.
    for credentials in [&[][..], &[("dayfly.k0s.token", WORKER)]] {
        let machine = boot("worker", credentials, keep);
        assert_eq!(machine.step("k0s")["outcome"], "done", "{:?}", machine.state().log);
        assert!(machine.file("/sysroot/var/lib/k0s/kubelet.conf").is_some());
        assert_eq!(command(&machine, "k0sworker").contains("--token-file"), !credentials.is_empty());
    }
}

#[test]
fn what_is_left_of_another_cluster_goes() {
    let machine = boot("worker", &[("dayfly.k0s.token", FOREIGN)], keep);
    assert_eq!(machine.step("k0s")["outcome"], "done", "{:?}", machine.state().log);
    assert_eq!(machine.file("/sysroot/var/lib/k0s/kubelet.conf"), None);
    assert!(!machine.state().nodes.contains_key(Path::new("/sysroot/var/lib/k0s/kubelet/pki")));
    assert!(machine.state().log.iter().any(|(_, line)| line.contains("not signed by the cluster's CA")));
    // Its state on the disk was lost, so it joins with its token like a new node.
    let machine = boot("worker", &[("dayfly.k0s.token", FOREIGN)], |_| {});
    assert_eq!(machine.step("k0s")["outcome"], "done");
}

/// Role, credentials, a change of the machine, and the expected failure: code and message.
type Refused<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a dyn Fn(&mut State), &'a str, &'a str);

#[test]
fn what_k0s_would_refuse_is_refused_before() {
    let no_program =
        |state: &mut State| drop(state.nodes.remove(Path::new("/run/dayfly/l/usr/local/bin/k0s")));
    let late = |state: &mut State| state.epoch = 9_000_000_000;
    let of = |name: &'static str| {
        move |state: &mut State| {
            state.put(
                Path::new("/proc/mounts"),
                Node::File(format!("x /sysroot/var {name} rw 0 0\n").into_bytes()),
            );
        }
    };
    let nothing = |_: &mut State| {};
    let cases: [Refused<'_>; 6] = [
        (
            "worker",
            &[],
            &nothing,
            "kubernetes.credentials",
            "there is no k0s.token, and no valid certificate",
        ),
        (
            "worker",
            &[("dayfly.k0s.token", CONTROLLER)],
            &nothing,
            "kubernetes.credentials",
            "for the other role, and this node is a worker",
        ),
        (
            "controller",
            &[("dayfly.k0s.token", WORKER)],
            &nothing,
            "kubernetes.credentials",
            "for the other role, and this node is a controller",
        ),
        (
            "worker",
            &[("dayfly.k0s.token", WORKER)],
            &late,
            "kubernetes.credentials",
            "for a cluster whose CA expired at",
        ),
        (
            "worker",
            &[("dayfly.k0s.token", WORKER)],
            &no_program,
            "kubernetes.program",
            "there is no /usr/local/bin/k0s and no /usr/bin/k0s",
        ),
        ("single", &[], &of("overlay"), "kubernetes.storage", "/var/lib/k0s is on overlay"),
    ];
    for (role, credentials, prepare, code, wrong) in cases {
        let machine = boot(role, credentials, prepare);
        let failure = &machine.step("k0s")["failure"];
        assert_eq!(failure["code"], code, "{role}: {failure}");
        assert!(failure["wrong"].as_str().unwrap().contains(wrong), "{failure}");
        assert_eq!(machine.file(UNIT), None);
    }
}

#[test]
fn a_controller_has_users_and_a_configuration() {
    let config = "spec:\n  storage: {type: etcd}\n";
    let passwd = "root:x:0:0::/root:/bin/sh\netcd:x:990:991::/:/bin/false\n";
    let bundle = "/usr/lib/k0s/bundle.tar";
    let credentials = [
        ("dayfly.k0s.config", config),
        ("dayfly.k0s.images", "/usr/lib/k0s"),
        ("dayfly.k0s.token", CONTROLLER),
    ];
    let machine = boot("controller+worker", &credentials, |state| {
        let mut put =
            |path: &str, text: &str| state.put(Path::new(path), Node::File(text.as_bytes().to_vec()));
        let of = |name: &str, text: &str| format!("[file.'/etc/{name}']\ncontent = '''\n{text}'''\n");
        let accounts = [
            of("passwd", passwd),
            of("group", "root:x:0:\nkube-scheduler:x:77:"),
            of("shadow", "root:*:::::::\n"),
        ];
        put("/run/dayfly/l/usr/lib/dayfly/settings.toml", &format!("version = 1\n{}", accounts.concat()));
        put(&format!("/run/dayfly/l{bundle}"), "tar");
    });
    assert_eq!(machine.step("k0s")["outcome"], "done", "{:?}", machine.state().log);
    assert_eq!(
        command(&machine, "k0scontroller"),
        "/usr/local/bin/k0s controller --config=/etc/k0s/k0s.yaml --enable-worker=true \
         --kubelet-extra-args=--volume-plugin-dir=/var/lib/k0s/kubelet-plugins/volume/exec \
         --token-file=/run/dayfly/secrets/k0s-token"
    );
    assert_eq!(machine.file("/sysroot/etc/k0s/k0s.yaml").as_deref(), Some(config));
    assert_eq!(machine.state().modes[Path::new("/sysroot/etc/k0s/k0s.yaml")], 0o600);
    let users = machine.file("/sysroot/etc/passwd").unwrap();
    let made = "konnectivity-server:x:60702:60702::/var/lib/k0s:/bin/false\n\
         kube-apiserver:x:60703:60703::/var/lib/k0s:/bin/false\n\
         kube-scheduler:x:60704:77::/var/lib/k0s:/bin/false\n";
    assert_eq!(users, format!("{passwd}{made}"), "the image's user etcd must stay");
    let groups = "root:x:0:\nkube-scheduler:x:77:\nkonnectivity-server:x:60702:\nkube-apiserver:x:60703:\n";
    assert_eq!(machine.file("/sysroot/etc/group").as_deref(), Some(groups));
    assert!(machine.file("/sysroot/etc/shadow").unwrap().contains("\nkube-apiserver:!*:::::::\n"));
    let link = Path::new("/sysroot/var/lib/k0s/images/bundle.tar");
    assert_eq!(machine.state().nodes[link], Node::Symlink(PathBuf::from(bundle)));
}
