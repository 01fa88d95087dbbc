//! No image is mounted before its integrity is verified, whatever the plan contains.

mod machine;

use std::sync::Arc;

use dayfly_formats::cmdline::Cmdline;
use dayfly_init::events::Events;
use dayfly_init::{Modules, Runner};
use dayfly_plan::settings::gather;
use dayfly_plan::{Code, Facts, Phase, StepId, plan};
use dayfly_sys::Sys;
use machine::{Machine, sha256, squashfs};

/// Runs a plan up to the image, with or without the step that verifies it.
fn run(cmdline: &str, compares: bool) -> (Result<(), (StepId, Code)>, bool) {
    let machine = Machine::new(cmdline);
    let sys: Arc<dyn Sys> = Arc::clone(&machine) as _;
    let events = Events::start(&sys);
    let modules = Arc::new(Modules::new(Arc::clone(&sys), events.clone(), &Cmdline::parse("")));
    let facts = Facts::from_cmdline(cmdline);
    let mut plan = plan(&gather(&facts).0, &facts.discovered);
    if !compares {
        plan.steps.retain(|step| step.id != StepId::Verify);
        for step in &mut plan.steps {
            step.needs.retain(|need| *need != StepId::Verify);
        }
    }
    let ran = machine.wait_for(|ran| {
        std::thread::spawn(move || {
            ran.send(Runner::new(sys, events, modules).run(&plan, Some(Phase::State)));
        });
    });
    let ran = ran.unwrap();
    let is_mounted = machine.state().mounts.iter().any(|mount| mount.contains("/run/dayfly/l"));
    (ran.map(drop).map_err(|(step, failure)| (step, failure.code)), is_mounted)
}

#[test]
fn an_image_is_mounted_only_when_its_integrity_is_decided() {
    let url = "root=live:http://10.0.2.2/os.squashfs ip=dhcp dayfly.config.device=none";
    let right = format!("{url} dayfly.image.sha256={}", sha256(&squashfs(3 << 20)));
    let refused = Err((StepId::Image, Code::ImageHashMismatch));
    let wrong = format!("{url} dayfly.image.sha256={}", "0".repeat(64));
    for (cmdline, compares, expected) in [
        (&right, true, (Ok(()), true)),
        (&right, false, (refused, false)),
        (&wrong, false, (refused, false)),
        (&wrong, true, (Err((StepId::Verify, Code::ImageHashMismatch)), false)),
        // Without a hash in the settings, the plan does not verify the image.
        (&url.to_owned(), true, (Ok(()), true)),
    ] {
        assert_eq!(run(cmdline, compares), expected, "{cmdline} {compares}");
    }
}
