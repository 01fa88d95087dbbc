//! "Which failures end the boot" in docs/reference/plan.md, from the table of the planner. A test compares the table
//! with plans.

use std::collections::BTreeSet;
use std::fmt::Write;

use dayfly_plan::settings::gather;
use dayfly_plan::{DECIDED, ENDINGS, Ends, Facts, Plan, Source, StepId, plan};

use super::{cell, page, read, root};

const PAGE: &str = "docs/reference/plan.md";
const START: &str = "<!-- endings -->\n";
const END: &str = "<!-- end of endings -->";

#[test]
fn endings_on_the_page() {
    let mut table = "| step | told, and the step goes on | fails the step | ends the boot | why |\n|---|---|---|---|---|\n".to_owned();
    for row in &ENDINGS {
        let ends = match row.ends {
            Ends::Always => "yes",
            Ends::WhereAskedFor => "where it was asked for",
            Ends::Never => "no",
        };
        let (told, fails, why) = (cell(row.told), cell(row.fails), cell(row.why));
        writeln!(table, "| {} | {told} | {fails} | {ends} | {why} |", row.step).unwrap();
    }
    let text = read(&root().join(PAGE));
    let (before, rest) = text.split_once(START).expect("the table's start");
    let (_, after) = rest.split_once(END).expect("the table's end");
    page(PAGE, &format!("{before}{START}{table}{END}{after}"));
}

/// Plans that together have every step, each with and without a requested state disk.
fn plans() -> Vec<Plan> {
    const ALL: &str = "
        os.modules = [\"loop\"]
        sysctl.\"kernel.panic\" = 10
        file.\"/etc/x\".content = \"x\"
        user.root.authorized_keys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHd3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3\"]
        unit.\"x.service\".enable = true
        script.node.git = \"https://git.example/x\"
        kubelet.enabled = true\n";
    let mut plans = Vec::new();
    for words in [
        "",
        "dayfly.state.create=blank",
        "dayfly.state.device=LABEL=state",
        "dayfly.state.device=/dev/vdb dayfly.state.create=blank",
    ] {
        for role in ["", "k0s.role = \"worker\"", "k3s.role = \"agent\""] {
            let facts = Facts::from_cmdline(format!("root=live:http://boot/os ip=dhcp {words}"))
                .with_settings(Source::Initramfs, format!("version = 1\n{ALL}{role}\n"));
            plans.push(plan(&gather(&facts).0, &facts.discovered));
        }
    }
    plans
}

/// Every step must have a row, and each row must match the plan.
#[test]
fn every_step_behind_the_image_is_decided() {
    let mut seen: BTreeSet<(StepId, bool)> = BTreeSet::new();
    for plan in plans() {
        for step in plan.steps.iter().filter(|step| DECIDED.contains(&step.phase)) {
            let row = ENDINGS.iter().find(|row| row.step == step.id);
            let row = row.unwrap_or_else(|| panic!("the step {} has no row in ENDINGS", step.id));
            assert!(row.fits(step), "{row:?}, but {:?}", step.on_failure);
            seen.insert((row.step, matches!(step.on_failure, dayfly_plan::OnFailure::Continue(_))));
        }
    }
    for row in &ENDINGS {
        let kinds = [true, false].into_iter().filter(|goes_on| seen.contains(&(row.step, *goes_on))).count();
        let wanted = if row.ends == Ends::WhereAskedFor { 2 } else { 1 };
        assert_eq!(kinds, wanted, "{}: the plans of this test do not match the row", row.step);
        assert!([row.told, row.fails, row.why].iter().all(|text| !text.is_empty()), "{}", row.step);
    }
}
