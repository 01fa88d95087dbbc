//! Laws that hold for every plan, whatever the settings.

use dayfly_plan::settings::{Settings, gather};
use dayfly_plan::{Action, Facts, LayoutEntry, OnFailure, Phase, Plan, paths, plan};
use proptest::prelude::*;

/// Words that mean something, in random choice and order.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("root=live:http://boot/os.squashfs".to_owned()),
        Just("root=https://10.0.2.2:8443/os.erofs".to_owned()),
        Just("root=/dev/vdb".to_owned()),
        Just("root=live:LABEL=images".to_owned()),
        Just("ip=dhcp".to_owned()),
        Just("ip=10.0.2.15::10.0.2.2:24:n1:eth0:off".to_owned()),
        Just("rd.neednet=1".to_owned()),
        Just("rd.break=pre-mount".to_owned()),
        Just("rd.overlay=LABEL=state2".to_owned()),
        Just("dayfly.kubelet.enabled".to_owned()),
        Just("init=/bin/true".to_owned()),
        "[0-9a-f]{64}".prop_map(|sha| format!("dayfly.image.sha256={sha}")),
        (1u32..5000).prop_map(|seconds| format!("rd.retry={seconds}")),
        ("(/[a-z]{1,8}){1,3}", "(read-only|ephemeral|persistent|tmpfs|tmpfs\\(5M\\))")
            .prop_map(|(path, policy)| format!("dayfly.layout.{path}={policy}")),
        "[ -~]{0,40}",
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    proptest::collection::vec(word(), 0..12).prop_map(|words| gather(&Facts::from_cmdline(words.join(" "))).0)
}

fn position(plan: &Plan, of: impl Fn(&Action) -> bool) -> Option<usize> {
    plan.steps.iter().position(|step| of(&step.action))
}

/// Every step that `id` waits for, directly or not.
fn waits_for(plan: &Plan, id: &str) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = Vec::new();
    let mut open: Vec<&str> = vec![id];
    while let Some(next) = open.pop() {
        for need in plan.step(next).into_iter().flat_map(|step| step.needs.iter()) {
            if !all.contains(need) {
                all.push(need);
                open.push(need);
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn laws(settings in settings()) {
        let Ok(plan) = plan(&settings) else {
            prop_assert!(settings.image.is_none(), "only a boot without an image has no plan");
            return Ok(());
        };
        let ids: Vec<&str> = plan.steps.iter().map(|step| step.id).collect();

        // Names are unique, and a step needs only what stands before it: there is an order, and no cycle.
        for (index, step) in plan.steps.iter().enumerate() {
            prop_assert!(!ids[..index].contains(&step.id), "{} is there twice", step.id);
            for need in &step.needs {
                prop_assert!(ids[..index].contains(need), "{} needs {need}, which comes later", step.id);
            }
        }

        // What is given a hash is compared with it before it is mounted, and a mismatch is never tolerated.
        if settings.image_sha256.is_some() {
            prop_assert!(waits_for(&plan, "image").contains(&"verify"));
            prop_assert_eq!(&plan.step("verify").unwrap().on_failure, &OnFailure::Abort);
        } else {
            prop_assert!(plan.notes.iter().any(|note| note.contains("unchecked")), "an unchecked image is said");
        }

        // Nothing follows the exec; the switch is the step before it; both wait for everything.
        let (switch, exec) = (position(&plan, |action| matches!(action, Action::SwitchRoot { .. })), position(&plan, |action| matches!(action, Action::Exec { .. })));
        prop_assert_eq!((switch, exec), (Some(plan.steps.len() - 2), Some(plan.steps.len() - 1)));
        prop_assert_eq!(waits_for(&plan, "exec").len(), plan.steps.len() - 1);

        // No network unless something needs it, and no fetch without it.
        let network = plan.step("network").is_some();
        let fetch = plan.steps.iter().any(|step| matches!(step.action, Action::Fetch { .. }));
        prop_assert_eq!(network, fetch || settings.network_wanted.value);
        if fetch {
            prop_assert!(waits_for(&plan, "fetch").contains(&"network"));
        }

        // Layout paths come after the root that they lie in, parents before children.
        prop_assert!(waits_for(&plan, "layout").contains(&"root"));
        let Action::ApplyLayout { entries } = &plan.step("layout").unwrap().action else { panic!("no layout") };
        for (index, LayoutEntry { path, .. }) in entries.iter().enumerate() {
            for LayoutEntry { path: later, .. } in &entries[index + 1..] {
                prop_assert!(!path.starts_with(&format!("{later}/")), "{path} comes before its parent {later}");
            }
        }

        // Phases are printed in their order.
        let phases: Vec<Phase> = plan.steps.iter().map(|step| step.phase).collect();
        prop_assert!(phases.is_sorted(), "{phases:?}");

        // The table has a line for every step, whatever is in it, and says the same twice.
        prop_assert_eq!(plan.lines().len(), 1 + plan.steps.len() + plan.notes.len() + usize::from(plan.break_before.is_some()));
        prop_assert_eq!(plan.to_string(), plan.to_string());
    }

    #[test]
    fn any_text_is_a_command_line_and_a_settings_file(text in "\\PC{0,400}", file in "\\PC{0,400}") {
        let (settings, problems) = gather(&Facts::from_cmdline(text).with_file(file));
        prop_assert!(problems.iter().all(|problem| !problem.text.is_empty()));
        let _ = plan(&settings);
    }
}

#[test]
fn overlay_paths_are_short_enough_for_the_kernel() {
    let options =
        format!("lowerdir={},upperdir={}/u,workdir={}/w", paths::LOWER, paths::WRITABLE, paths::WRITABLE);
    assert!(options.len() < 255, "{options}");
}
