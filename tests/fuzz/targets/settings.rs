//! Any command line and any settings file give settings that can be printed; if none is refused, they give a plan that can be run
//! and printed.
//!
//! The input is the command line and, after a line `%%`, the settings file.
#![no_main]

use std::collections::BTreeSet;

use dayfly_plan::{Action, Facts, LayerSource, Severity, Step, plan, settings};
use dayfly_formats::mac::Mac;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Decoded as the init reads /proc/cmdline and the file.
    let text = String::from_utf8_lossy(bytes);
    let mut facts = match text.split_once("\n%%\n") {
        Some((cmdline, file)) => Facts::from_cmdline(cmdline).with_file(file),
        None => Facts::from_cmdline(&*text),
    };
    facts.discovered.machine.macs = vec![Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56])];
    facts.discovered.machine.serial = Some("SN-0042".to_owned());
    let (settings, problems) = settings::gather(&facts);
    assert_eq!(
        (settings.clone(), problems.clone()),
        settings::gather(&facts),
        "the same facts gave different settings"
    );
    for problem in &problems {
        assert!(!problem.to_string().is_empty());
    }
    for row in settings.shown() {
        assert!(
            !row.name.is_empty() && !row.value.is_empty(),
            "a setting without a name or a value: {row:?}"
        );
    }
    if problems.iter().any(|problem| problem.severity == Severity::Refuse) {
        return;
    }
    let plan = plan(&settings, &facts.discovered);
    let awaited = |step: &Step| {
        matches!(&step.action, Action::FindImage { layers } if layers.iter().any(|layer| layer.source == LayerSource::Awaited))
    };
    assert_eq!(settings.image.is_none(), plan.steps.iter().any(awaited));
    let mut earlier = BTreeSet::new();
    for step in &plan.steps {
        for need in &step.needs {
            assert!(earlier.contains(need), "{} needs {need}, which is not before it", step.id);
        }
        assert!(earlier.insert(step.id), "two steps have the name {}", step.id);
    }
    assert!(!plan.steps.is_empty() && plan.rows().len() >= plan.steps.len() && !plan.lines().is_empty());
});
