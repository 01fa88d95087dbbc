//! What a real API server allows a node to do that joins, reboots and joins again. The init's Kubernetes step relies on these rules.
//! They are checked with plain requests to a control plane without nodes. `tests/run api`, half a minute.
//!
//! If a newer Kubernetes changes a rule, it fails here by name, long before a node that relies on it does.

mod client;
mod rules;

use std::{
    os::unix::process::CommandExt,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use dayfly_qemu::{
    kubernetes::{ControlPlane, Parts},
    lan::Lan,
    product::Product,
};
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};

/// A rule: its name and its check.
type Rule = (&'static str, fn(&mut ControlPlane) -> Result<()>);

fn main() -> Result<()> {
    let mut arguments = Arguments::from_args();
    // One control plane for all rules, in the network of one thread.
    arguments.test_threads = Some(1);
    let Some(parts) = Parts::cached()? else {
        eprintln!(
            "==> skipped: the Kubernetes parts were not built here; `tests/run kubernetes` builds them"
        );
        let skipped =
            rules::RULES.iter().map(|(name, _)| Trial::test(*name, || Ok(())).with_ignored_flag(true));
        libtest_mimic::run(&arguments, skipped.collect()).exit();
    };
    if !rustix::process::geteuid().is_root() {
        // Root of a user namespace may create networks.
        let mut again = Command::new("unshare");
        again
            .args(["--user", "--map-root-user"])
            .arg(std::env::current_exe()?)
            .args(std::env::args_os().skip(1));
        return Err(again.exec().into());
    }
    let logs = Product::of_checkout()?.folder("logs/api")?;
    let conclusion = Lan::apart(|lan| {
        let cluster = Arc::new(Mutex::new(ControlPlane::start(&parts, lan, &logs)?));
        Ok(run(&arguments, &cluster))
    })?;
    conclusion.exit();
}

fn run(arguments: &Arguments, cluster: &Arc<Mutex<ControlPlane>>) -> Conclusion {
    let trial = |&(name, rule): &Rule| {
        let cluster = Arc::clone(cluster);
        Trial::test(name, move || {
            let mut cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
            rule(&mut cluster).map_err(|error| Failed::from(format!("{error:#}")))
        })
    };
    libtest_mimic::run(arguments, rules::RULES.iter().map(trial).collect())
}
