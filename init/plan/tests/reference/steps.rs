//! The table of steps in docs/reference/plan.md has every step once.

use dayfly_plan::StepId;

use super::{read, root};

#[test]
fn every_step_is_in_the_table_of_steps() {
    let text = read(&root().join("docs/reference/plan.md"));
    let section =
        text.split("\n## ").find(|section| section.starts_with("Steps\n")).expect("a section Steps");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let mut shown: Vec<&str> = rows.filter(|name| *name != "step").collect();
    let mut steps: Vec<&str> = StepId::ALL.iter().map(|step| step.name()).collect();
    shown.sort_unstable();
    steps.sort_unstable();
    assert_eq!(shown, steps);
}
