//! How long a boot waits: the step, its text in the plan and the pages must use the same value.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dayfly_plan::settings::{self, Settings};
use dayfly_plan::{Action, Deadline, Facts, LayerSource, Plan, ScriptPlan, StateSearch, Way, plan};

fn plan_of(cmdline: &str) -> Plan {
    let facts = Facts::from_cmdline(cmdline);
    let (settings, problems) = settings::gather(&facts);
    assert_eq!(problems, [], "{cmdline}");
    plan(&settings, &facts.discovered)
}

/// The wait of an action that waits for something to appear.
fn wait_of(action: &Action) -> Option<Duration> {
    match action {
        Action::ReadLinks { wait, .. } => Some(*wait),
        Action::FindImage { layers } => layers.iter().find_map(|layer| match layer.source {
            LayerSource::Disk { wait, .. } => Some(wait),
            _ => None,
        }),
        Action::ReadConfig(search) => search.wait,
        Action::OpenState(StateSearch { wait, .. }) => *wait,
        _ => None,
    }
}

#[test]
fn a_disk_is_waited_for_as_long_as_the_settings_say_and_the_plan_says_so() {
    let cmdline = "root=LABEL=os rd.timeout=7 dayfly.config.device=LABEL=c dayfly.config.wait=8";
    for (cmdline, waits) in [
        (format!("{cmdline} dayfly.state.device=LABEL=state"), [7, 8, 7].as_slice()),
        (format!("{cmdline} dayfly.state.create=blank"), &[7, 8, 7]),
        (cmdline.to_owned(), &[7, 8]),
    ] {
        let plan = plan_of(&cmdline);
        let mut found = Vec::new();
        for step in &plan.steps {
            let Some(wait) = wait_of(&step.action) else { continue };
            let Deadline::Within(deadline) = step.deadline else { panic!("{} has no end", step.id) };
            assert!(deadline >= wait + Duration::from_secs(5), "{}: {deadline:?} for {wait:?}", step.id);
            let text = step.action.to_string();
            assert!(text.contains(&format!(" {} s", wait.as_secs())), "{text}");
            found.push(wait.as_secs());
        }
        found.sort_unstable();
        let mut waits = waits.to_vec();
        waits.sort_unstable();
        assert_eq!(found, waits, "{cmdline}");
    }
}

#[test]
fn a_rule_that_asks_for_a_mac_address_waits_within_its_step() {
    let file = "version = 1\n[[match]]\nwhen.mac = '52:54:00:12:34:56'\nroot.size = '5M'\n";
    for way in Way::ALL {
        let facts = Facts::from_cmdline("root=http://10.0.2.2/os").with_file(file).on_way(way);
        let plan = plan(&settings::gather(&facts).0, &facts.discovered);
        let step = plan.steps.iter().find(|step| wait_of(&step.action).is_some()).unwrap();
        let Deadline::Within(deadline) = step.deadline else { panic!("{} has no end", step.id) };
        assert!(wait_of(&step.action).is_some_and(|wait| deadline > wait), "{}", step.id);
    }
}

/// Sentences of the pages that name a default: each names the actual one.
#[test]
fn the_pages_tell_the_defaults_that_hold() {
    let defaults = Settings::default();
    let (retry, disk) = (defaults.retry.value.as_secs(), defaults.device_wait.value.as_secs());
    for (page, sentence) in [
        (
            "../reference/settings.md",
            format!("The time between two pulls. The default is {}.", ScriptPlan::INTERVAL.as_secs()),
        ),
        ("image-on-disk.md", format!("Dayfly waits {disk} s for the disk;")),
        ("state-disk.md", format!("Dayfly waits {disk} s for it;")),
        ("state-disk.md", format!("within `device_wait` ({disk} s,")),
        ("dracut.md", format!("`rd.timeout=`, {disk} s by default")),
        ("dracut.md", format!("`rd.retry=` ({retry} s)")),
        ("failed-boot.md", format!("for how long, {retry} s by default")),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to").join(page);
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(&sentence), "{page} does not say: {sentence}");
    }
}
