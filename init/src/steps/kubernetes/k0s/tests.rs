use super::*;

use std::collections::BTreeSet;

use dayfly_plan::Secret;

use crate::services::Manager;

fn plan(role: Role, args: &[&str]) -> K0sPlan {
    K0sPlan {
        role,
        program: None,
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        config: None,
        token: Some(Secret::new("t")),
        data_dir: "/var/lib/k0s".to_owned(),
        images: None,
    }
}

/// The flags of `k0s install` by role: k0s's cmd/install/util.go (each flag that was given, by name, as --NAME=VALUE) and
/// pkg/config/cli.go, at dff90ce.
#[test]
fn the_command_line_is_that_of_k0s_install() {
    const PLUGINS: &str = "--kubelet-extra-args=--volume-plugin-dir=/var/lib/k0s/kubelet-plugins/volume/exec";
    const TOKEN: &str = "--token-file=/run/dayfly/secrets/k0s-token";
    const CONFIG: &str = "--config=/etc/k0s/k0s.yaml";
    for (role, args, config, token, expected) in [
        (Role::Worker, &[][..], false, true, &["worker", PLUGINS, TOKEN][..]),
        (Role::Controller, &[], true, false, &["controller", CONFIG]),
        (Role::Controller, &["--debug"], false, true, &["controller", TOKEN, "--debug"]),
        (Role::ControllerWorker, &[], true, false, &["controller", CONFIG, "--enable-worker=true", PLUGINS]),
        (Role::Single, &[], false, false, &["controller", PLUGINS, "--single=true"]),
        (
            Role::Worker,
            &["--kubelet-extra-args=--v=2"],
            false,
            false,
            &[
                "worker",
                "--kubelet-extra-args=--v=2 --volume-plugin-dir=/var/lib/k0s/kubelet-plugins/volume/exec",
            ],
        ),
        (
            Role::Worker,
            &["--kubelet-extra-args=--volume-plugin-dir=/x"],
            false,
            false,
            &["worker", "--kubelet-extra-args=--volume-plugin-dir=/x"],
        ),
    ] {
        let token = token.then_some("/run/dayfly/secrets/k0s-token");
        assert_eq!(arguments(&plan(role, args), config, token), expected, "{role}");
    }
    let mut elsewhere = plan(Role::Worker, &[]);
    elsewhere.data_dir = "/srv/k0s".to_owned();
    let expected = [
        "worker",
        "--data-dir=/srv/k0s",
        "--kubelet-extra-args=--volume-plugin-dir=/srv/k0s/kubelet-plugins/volume/exec",
    ];
    assert_eq!(arguments(&elsewhere, false, None), expected);
}

/// The unit that k0s's pkg/install at dff90ce wrote with kardianos/service 1.2.4, for a worker under systemd. Dayfly's
/// unit uses the current systemd names of these settings; the rest is the same.
#[test]
fn the_unit_says_what_k0s_install_says() {
    const THEIRS: [&str; 17] = [
        "Description=k0s - Zero Friction Kubernetes",
        "Documentation=https://docs.k0sproject.io",
        "ConditionFileIsExecutable=/usr/local/bin/k0s",
        "After=network-online.target",
        "Wants=network-online.target",
        "StartLimitInterval=5",
        "StartLimitBurst=10",
        "ExecStart=/usr/local/bin/k0s worker --token-file=/etc/k0s/token",
        "RestartSec=10",
        "Delegate=yes",
        "KillMode=process",
        "LimitCORE=infinity",
        "TasksMax=infinity",
        "TimeoutStartSec=0",
        "LimitNOFILE=999999",
        "Restart=always",
        "WantedBy=multi-user.target",
    ];
    let args = vec!["worker".to_owned(), "--token-file=/etc/k0s/token".to_owned()];
    let ours = Manager::Systemd.text(&service(Role::Worker, "/usr/local/bin/k0s".to_owned(), args));
    let ours: BTreeSet<&str> = ours.lines().filter(|line| line.contains('=')).collect();
    let theirs: BTreeSet<&str> = THEIRS.into_iter().collect();
    let only = |left: &BTreeSet<&str>, right: &BTreeSet<&str>| -> Vec<String> {
        left.difference(right).map(|line| (*line).to_owned()).collect()
    };
    // With a pause of 10 s there are never ten starts within 5 s, so no limit is equivalent. `exec` reports a missing
    // program.
    assert_eq!(only(&theirs, &ours), ["StartLimitBurst=10", "StartLimitInterval=5"]);
    assert_eq!(only(&ours, &theirs), ["LimitNPROC=infinity", "StartLimitIntervalSec=0", "Type=exec"]);
}

/// The same for a single node under OpenRC: the script that it wrote, except for quotes, order and the differences
/// noted here.
#[test]
fn the_script_says_what_k0s_install_says() {
    let args = vec!["controller".to_owned(), "--single=true".to_owned()];
    let text = Manager::OpenRc.text(&service(Role::Single, "/usr/bin/k0s".to_owned(), args));
    for line in [
        "#!/sbin/openrc-run",
        "supervisor=supervise-daemon",
        "description='k0s - Zero Friction Kubernetes'",
        "command=/usr/bin/k0s",
        "command_args='controller --single=true'",
        "retry=SIGTERM/90/SIGKILL/5",
        // k0s writes `rc_ulimit=-n 1048576 -u unlimited`, which dash refuses; the limit that k0s itself needs is 65536.
        "\tulimit -n 999999",
        "\tneed cgroups",
        "\tuse dns",
        "\tafter firewall",
        // k0s writes `need net`, but a node whose network is up already may have no service that provides net.
        "\twant net",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}
