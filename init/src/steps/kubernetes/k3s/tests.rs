use super::*;

use std::collections::BTreeSet;

use dayfly_plan::{Document, Secret};

fn plan(role: Role) -> K3sPlan {
    K3sPlan {
        role,
        program: None,
        args: Vec::new(),
        config: Some(Document("x: 1\n".to_owned())),
        server: "https://10.0.0.1:6443".parse().ok(),
        token: Some(Secret::new("t")),
        images: None,
    }
}

#[test]
fn the_configuration_is_yaml() {
    let text = config(&plan(Role::Agent), "worker7", Some("/run/dayfly/secrets/k3s-token"));
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let expected = [
        "node-name: \"worker7\"",
        "server: \"https://10.0.0.1:6443\"",
        "token-file: \"/run/dayfly/secrets/k3s-token\"",
    ];
    assert_eq!(lines, expected);
    let alone = K3sPlan { server: None, ..plan(Role::Server) };
    assert_eq!(config(&alone, "worker7", None).lines().count(), 2);
}

/// The unit that k3s's install.sh (create_systemd_service_file, at 0136cf2) writes.
#[test]
fn the_unit_says_what_the_install_script_says() {
    const THEIRS: [&str; 22] = [
        "Description=Lightweight Kubernetes",
        "Documentation=https://k3s.io",
        "Wants=network-online.target",
        "After=network-online.target",
        "WantedBy=multi-user.target",
        "EnvironmentFile=-/etc/default/%N",
        "EnvironmentFile=-/etc/sysconfig/%N",
        "EnvironmentFile=-/etc/systemd/system/k3s.service.env",
        "KillMode=process",
        "Delegate=yes",
        "User=root",
        "LimitNOFILE=1048576",
        "LimitNPROC=infinity",
        "LimitCORE=infinity",
        "TasksMax=infinity",
        "TimeoutStartSec=0",
        "Restart=always",
        "RestartSec=5s",
        "ExecStartPre=-/sbin/modprobe br_netfilter",
        "ExecStartPre=-/sbin/modprobe overlay",
        "ExecStart=/usr/local/bin/k3s server",
        "Type=notify",
    ];
    let text = Manager::Systemd.text(&service(
        &plan(Role::Server),
        "/usr/local/bin/k3s".to_owned(),
        Manager::Systemd,
    ));
    let ours: BTreeSet<&str> = text.lines().filter(|line| line.contains('=')).collect();
    let theirs: BTreeSet<&str> = THEIRS.into_iter().collect();
    let only = |left: &BTreeSet<&str>, right: &BTreeSet<&str>| -> Vec<String> {
        left.difference(right).map(|line| (*line).to_owned()).collect()
    };
    // Differences: another step loads the modules, there is no environment file of an installation, and units run as
    // root by default.
    let missing = only(&theirs, &ours);
    let known = ["EnvironmentFile", "ExecStartPre", "RestartSec=5s", "User=root"];
    assert!(missing.iter().all(|line| known.iter().any(|known| line.starts_with(known))), "{missing:?}");
    assert_eq!(only(&ours, &theirs), ["RestartSec=5", "StartLimitIntervalSec=0"]);

    let agent = service(&plan(Role::Agent), "/usr/local/bin/k3s".to_owned(), Manager::Systemd);
    assert_eq!((agent.name.as_str(), agent.kind), ("k3s-agent", Kind::Daemon));
    assert_eq!(agent.args, ["agent"]);
    let script =
        Manager::OpenRc.text(&service(&plan(Role::Server), "/usr/local/bin/k3s".to_owned(), Manager::OpenRc));
    for line in [
        "supervisor=supervise-daemon",
        "respawn_delay=5",
        "respawn_max=0",
        "command=/usr/local/bin/k3s",
        "command_args=server",
    ] {
        assert!(script.lines().any(|found| found == line), "{line} is not in\n{script}");
    }
}
