//! Boot scenarios in virtual machines. Each is a function with a [`lab::Lab`] that asserts what a user at the console or a program in the
//! booted system would see.
//!
//! `cargo test --workspace --test vm -- [NAME,NAME…]` (parts of names); two run at a time (`--test-threads N`). The consoles' logs stay in
//! `target/dayfly/logs/NAME.log`. Groups that `tests/run` runs only on request are skipped without `--ignored`; with it, the name of such
//! a group selects all its scenarios.

mod address;
mod boot;
mod budgets;
mod consoles;
mod containers;
mod debian13;
mod disks;
mod dracut;
mod fabric;
mod faults;
mod foreign;
mod harness;
mod installed;
mod interfaces;
mod ipxe;
mod k0s;
mod k0s_bin;
mod kept;
mod kubernetes;
mod lab;
mod links;
mod node;
mod openrc;
mod report;
mod scripts;
mod shapes;
mod signed;
mod sources;
mod systemd;
mod try_image;
mod turns;
mod tutorial;

use std::time::Instant;

use anyhow::Result;
use lab::Lab;
use libtest_mimic::{Arguments, Failed, Trial};
use turns::Turn;

/// An error unless both are equal; it shows both, and the text after them.
macro_rules! same {
    ($left:expr, $right:expr) => { $crate::same!($left, $right, stringify!($left)) };
    ($left:expr, $right:expr, $($words:tt)+) => {
        // A match keeps temporaries alive as long as they are used.
        match (&$left, &$right) {
            (left, right) => anyhow::ensure!(left == right, "{}: {left:?}, but expected {right:?}", format!($($words)+)),
        }
    };
}
pub(crate) use same;

/// A scenario: its name and its function.
type Scenario = (&'static str, fn(&Lab) -> Result<()>);

fn main() {
    let mut arguments = Arguments::from_args();
    let turns = arguments.test_threads.unwrap_or(2);
    turns::allow(turns);
    arguments.test_threads = Some(turns + turns::WAITING);
    // The filter may be a list.
    let wanted = arguments.filter.take().unwrap_or_default();
    let is_wanted = |trial: &Trial| {
        wanted
            .split(',')
            .any(|part| trial.name().contains(part) || (!part.is_empty() && trial.kind() == part))
    };
    // The harness itself, then the scenarios that wait or build for long, so that they overlap with the others.
    let scenarios = [
        harness::SCENARIOS,
        address::SCENARIOS,
        tutorial::SCENARIOS,
        installed::SCENARIOS,
        debian13::SCENARIOS,
        dracut::SCENARIOS,
        openrc::SCENARIOS,
        systemd::SCENARIOS,
        boot::SCENARIOS,
        budgets::SCENARIOS,
        disks::SCENARIOS,
        ipxe::SCENARIOS,
        k0s::SCENARIOS,
        links::SCENARIOS,
        fabric::SCENARIOS,
        node::SCENARIOS,
        report::SCENARIOS,
        scripts::SCENARIOS,
        sources::SCENARIOS,
        faults::SCENARIOS,
        signed::SCENARIOS,
        consoles::SCENARIOS,
        containers::SCENARIOS,
        foreign::SCENARIOS,
        try_image::SCENARIOS,
    ]
    .concat();
    let rare = [
        harness::RARE,
        address::RARE,
        installed::RARE,
        interfaces::RARE,
        dracut::RARE,
        budgets::RARE,
        containers::RARE,
        ipxe::RARE,
        try_image::RARE,
    ]
    .concat();
    // These take long and differ little from others, or need parts that take minutes to build, or a k0s.
    let on_demand = [
        ("rare", &*rare),
        ("breadth", shapes::SCENARIOS),
        ("kubernetes", kubernetes::SCENARIOS),
        ("k0s", k0s_bin::ON_DEMAND),
    ];
    let on_demand = on_demand.into_iter().flat_map(|(group, scenarios)| {
        scenarios.iter().map(move |&scenario| trial(scenario).with_kind(group).with_ignored_flag(true))
    });
    let trials = scenarios.into_iter().map(trial).chain(on_demand).filter(is_wanted);
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn trial((name, scenario): Scenario) -> Trial {
    Trial::test(name, move || {
        let _turn = Turn::take();
        let started = Instant::now();
        let outcome = scenario(&Lab::new(name));
        eprintln!("    {name}: {:.1} s", started.elapsed().as_secs_f32());
        outcome.map_err(|error| {
            Failed::from(format!("{error:#}\nThe console is in dayfly/logs/{name}.log of the target folder."))
        })
    })
}
