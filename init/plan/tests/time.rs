//! Which steps wait for the time servers: only those that connect by TLS, and only if the clock was certainly wrong.

use dayfly_plan::settings::gather;
use dayfly_plan::{Facts, Phase, StepId, plan};

#[test]
fn only_tls_waits_for_the_time_and_only_if_the_clock_was_not_set() {
    let settings = "root=live:http://boot/os dayfly.settings.url";
    for (words, was_unset, is_planned, waiting) in [
        ("root=live:https://boot/os", true, true, vec![StepId::Fetch]),
        ("root=live:https://boot/os", false, true, vec![]),
        ("root=live:http://boot/os", true, true, vec![]),
        (&format!("{settings}=https://boot/node"), true, true, vec![StepId::Settings]),
        (&format!("{settings}=http://boot/node"), true, true, vec![]),
        ("root=live:https://boot/os ip=10.0.0.2::10.0.0.1:24::eth0:off", true, false, vec![]),
        (
            "root=live:https://boot/os ip=10.0.0.2::10.0.0.1:24::eth0:off dayfly.network.ntp=10.0.0.9",
            true,
            true,
            vec![StepId::Fetch],
        ),
        (
            "root=live:https://boot/os ip=10.0.0.2::10.0.0.1:24::eth0:off:10.0.0.3::10.0.0.9",
            true,
            true,
            vec![StepId::Fetch],
        ),
        ("root=/dev/vda rd.neednet=1", true, true, vec![]),
        ("root=/dev/vda", true, false, vec![]),
    ] {
        let mut facts = Facts::from_cmdline(words);
        facts.discovered.clock_was_unset = was_unset;
        let plan = plan(&gather(&facts).0, &facts.discovered);
        assert_eq!(plan.step(StepId::Time).is_some(), is_planned, "{words}\n{plan}");
        assert_eq!(plan.unmet(), None, "{words}");
        let steps = plan.steps.iter().filter(|step| step.phase != Phase::Handover);
        let found: Vec<StepId> =
            steps.filter(|step| step.needs.contains(&StepId::Time)).map(|step| step.id).collect();
        assert_eq!(found, waiting, "{words}");
        let is_told = plan.notes.iter().any(|note| note.contains("waits for the time servers"));
        assert_eq!(is_told, !waiting.is_empty(), "{words}");
    }
}
