//! The kernel parameters that name a node: one of them is its name everywhere.

use dayfly_plan::settings::gather;
use dayfly_plan::{Action, Facts, Severity, plan};

/// The name, and the messages.
fn named(cmdline: &str) -> (Option<String>, Vec<String>) {
    let facts = Facts::from_cmdline(cmdline);
    let (settings, problems) = gather(&facts);
    for problem in &problems {
        assert_eq!(problem.severity, Severity::Warn, "{cmdline}: {problem}");
    }
    let name = settings.hostname.as_ref().map(|name| name.value.to_string());
    let plan = plan(&settings, &facts.discovered);
    let identity = plan.steps.iter().find_map(|step| match &step.action {
        Action::WriteIdentity(identity) => Some(identity.hostname.clone()),
        _ => None,
    });
    assert_eq!(identity.unwrap().map(|name| name.to_string()), name, "{cmdline}");
    (name, problems.into_iter().map(|problem| problem.text).collect())
}

#[test]
fn every_word_for_the_name_means_the_same() {
    for (cmdline, name) in [
        ("dayfly.hostname=a", "a"),
        ("my.hostname=a", "a"),
        ("hostname=a", "a"),
        ("systemd.hostname=a", "a"),
        ("hostname=b my.hostname=c dayfly.hostname=a", "a"),
        ("dayfly.hostname=b hostname=a", "a"),
        ("systemd.hostname=b systemd.hostname=a", "a"),
        ("systemd.hostname=a dayfly.hostname=a", "a"),
        ("systemd.hostname=a.b.example.org", "a.b.example.org"),
    ] {
        assert_eq!(named(cmdline), (Some(name.to_owned()), Vec::new()), "{cmdline}");
    }
}

#[test]
fn the_word_of_the_oss_systemd_wins_in_any_order() {
    for cmdline in ["dayfly.hostname=b systemd.hostname=a", "systemd.hostname=a dayfly.hostname=b"] {
        let (name, said) = named(cmdline);
        assert_eq!(name.as_deref(), Some("a"), "{cmdline}");
        assert_eq!(
            said,
            [
                "systemd.hostname=a: it takes precedence over dayfly.hostname=b, because the OS's systemd takes its host name from it; give only one name."
            ]
        );
    }
}

#[test]
fn what_a_node_cannot_be_called_is_said_and_the_boot_goes_on() {
    for (cmdline, name, words) in [
        ("systemd.hostname=Worker7", Some("worker7"), "in lower case"),
        (
            "systemd.hostname=a_b dayfly.hostname=c",
            Some("c"),
            "systemd.hostname=a_b: host name \"a_b\" holds '_'",
        ),
        ("hostname=a_b", None, "hostname=a_b: host name \"a_b\" holds '_'"),
        ("hostname=", None, "hostname=: it has no value."),
        ("systemd.hostname", None, "systemd.hostname: it has no value."),
    ] {
        let (found, said) = named(cmdline);
        assert_eq!(found.as_deref(), name, "{cmdline}");
        assert!(said.len() == 1 && said[0].contains(words), "{cmdline}: {said:?}");
    }
}
