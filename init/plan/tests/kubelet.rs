//! The kubelet's settings: the messages for invalid ones, the sources of secrets, and the texts in the plan.

use dayfly_plan::settings::{Gathered, gather};
use dayfly_plan::{Code, Facts, Plan, Problem, Severity, Source, plan};

const CA: &str = include_str!("../../formats/src/x509/ca.pem");
const TOKEN: &str = "abcdef.0123456789abcdef";

fn facts(source: Source, file: &str) -> Facts {
    Facts::from_cmdline("root=/dev/vda").with_settings(source, format!("version = 1\n{file}"))
}

fn good(file: &str) -> (Gathered, Plan) {
    let facts = facts(Source::Config, file);
    let (settings, problems) = gather(&facts);
    assert_eq!(problems, [], "{file}");
    let plan = plan(&settings, &facts.discovered);
    (settings, plan)
}

fn problem(facts: &Facts) -> Problem {
    let (_, mut problems) = gather(facts);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn bad_values_are_named_with_what_is_expected() {
    let mut wrong = Vec::new();
    for (word, words) in [
        ("enabled=maybe", "\"maybe\" is not one of 1, yes, on, true, 0, no, off, false."),
        ("program=kubelet", "\"kubelet\" is not an absolute path without . and ..."),
        ("args=", "\"\" is empty or contains a control character."),
        ("server=http://10.0.0.1:6443", "\"http://10.0.0.1:6443\" is not https, but the token is a secret."),
        ("server=10.0.0.1:6443", "\"10.0.0.1:6443\" is not a URL: http://HOST/PATH is expected."),
        (
            "server=https://me:pw@10.0.0.1",
            "a URL with a user name or password is refused: all users can read the command line.",
        ),
        (
            "ca=/etc/kubernetes/pki/ca.crt",
            "it has no certificate: PEM is expected, with \"-----BEGIN CERTIFICATE-----\".",
        ),
        ("config=", "it is empty."),
        ("labels=rack", "\"rack\" is not a label: key=value is expected."),
        (
            "labels=rack=r1,zone=a",
            "\"r1,zone=a\" is not the value of a label: at most 63 letters, digits, -, _ and ..",
        ),
        ("labels=-rack=r1", "\"-rack\" is not the key of a label: name or domain/name is expected."),
        (
            "labels=node-role.kubernetes.io/worker=",
            "\"node-role.kubernetes.io/worker\" is a label that a kubelet must not set on its node, and the kubelet would not start with it.",
        ),
        (
            "taints=dedicated=gpu",
            "\"dedicated=gpu\" is not a taint: key=value:EFFECT is expected, with one of NoSchedule, PreferNoSchedule, NoExecute.",
        ),
        (
            "taints=dedicated=gpu:noschedule",
            "\"dedicated=gpu:noschedule\" is not a taint: key=value:EFFECT is expected, with one of NoSchedule, PreferNoSchedule, NoExecute.",
        ),
        ("taints=:NoExecute", "\"\" is not the key of a label: name or domain/name is expected."),
        (
            "cri=/run/containerd/containerd.sock",
            "\"/run/containerd/containerd.sock\" is not the URL of a socket: unix:///run/… is expected.",
        ),
        (
            "cri=unix://run/x.sock",
            "\"unix://run/x.sock\" is not the URL of a socket: unix:///run/… is expected.",
        ),
        (
            "cluster_dns=dns.cluster.local",
            "\"dns.cluster.local\" is not an IP address; expected one like 10.0.0.1 or 2001:db8::1.",
        ),
        ("cluster_domain=", "\"\" is empty or contains a control character."),
    ] {
        let found = problem(&Facts::from_cmdline(format!("root=/dev/vda dayfly.kubelet.{word}").as_str()));
        // A password is not part of the message.
        let shown = word.replace("me:pw@", "…@");
        let wanted = (Severity::Refuse, Code::ConfigValue, format!("dayfly.kubelet.{shown}: {words}"));
        let found = (found.severity, found.code, found.text);
        if found != wanted {
            wrong.push(format!("wanted {wanted:?}\nfound  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn secrets_come_from_private_places_and_bad_ones_are_not_shown() {
    let line = format!("[kubelet]\ntoken = '{TOKEN}'\n");
    let kubeconfig = "[kubelet]\nkubeconfig = '''\nclusters:\n- cluster: {server: https://10.0.0.1}\nusers: [{user: {token: SESAME}}]\n'''\n";
    let mut found =
        vec![problem(&Facts::from_cmdline(format!("root=/dev/vda dayfly.kubelet.token={TOKEN}").as_str()))];
    for source in [Source::Image, Source::Initramfs, Source::Url { secure: false }] {
        found.push(problem(&facts(source.clone(), &line)));
        found.push(problem(&facts(source, kubeconfig)));
    }
    for problem in &found {
        assert_eq!((problem.severity, problem.code), (Severity::Refuse, Code::ConfigSecret), "{problem:?}");
    }
    for (text, words) in [
        ("token = 'SESAME open'", "kubelet.token: a token is one word."),
        ("token = ''", "kubelet.token: a token is one word."),
        ("kubeconfig = 'SESAME'", "kubelet.kubeconfig: it is not a kubeconfig: it names no server."),
        (
            "kubeconfig = '''\nclusters:\n- cluster:\n    server: http://10.0.0.1\nusers: SESAME'''",
            "kubelet.kubeconfig: its server is not https.",
        ),
        (
            "kubeconfig = '''\nclusters:\n- cluster:\n    server: https://10.0.0.1\nSESAME'''",
            "kubelet.kubeconfig: it is not a kubeconfig: it names no server.",
        ),
    ] {
        let bad = problem(&facts(Source::Config, &format!("[kubelet]\n{text}\n")));
        assert_eq!((bad.severity, bad.code, bad.text.as_str()), (Severity::Refuse, Code::ConfigValue, words));
        found.push(bad);
    }
    for problem in found {
        let text = format!("{problem:?}");
        assert!(!text.contains("SESAME") && !text.contains(TOKEN), "{text}");
    }
}

#[test]
fn the_plan_says_how_a_node_joins_and_shows_no_secret() {
    let server = "server = 'https://10.0.0.1:6443'";
    for (rest, words) in [
        ("", "kubelet /usr/bin/kubelet  "),
        (&format!("{server}\nca = '''\n{CA}'''"), "joins https://10.0.0.1:6443 with its certificate  "),
        (
            &format!("{server}\nca = '''\n{CA}'''\ntoken = '{TOKEN}'"),
            "joins https://10.0.0.1:6443 with a token  ",
        ),
        (
            &format!("token = '{TOKEN}'"),
            "note: kubelet.token is not used without kubelet.server and kubelet.ca.",
        ),
        (
            "kubeconfig = '''\nclusters:\n- cluster:\n    server: https://10.0.0.1\ntoken: SESAME'''",
            "joins with a kubeconfig  ",
        ),
    ] {
        let (settings, plan) = good(&format!("[kubelet]\nenabled = true\n{rest}\n"));
        let text = plan.to_string();
        assert!(text.contains(words), "{words} is not in:\n{text}");
        let all = format!("{text}{plan:?}{settings:?}{:?}", settings.shown());
        assert!(!all.contains(TOKEN) && !all.contains("SESAME"), "{all}");
    }
}

#[test]
fn what_the_settings_say_of_the_kernel_counts() {
    let (_, plan) = good("[kubelet]\nenabled = true\n[sysctl]\n'net/ipv4/ip_forward' = 0\n");
    assert!(plan.to_string().contains("set 8 kernel parameters"), "{plan}");
}
