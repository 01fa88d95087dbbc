//! `dayfly explain`: shows the plan that a node would make from a kernel command line and settings files.

mod facts;
mod manifest;

use anyhow::{Result, bail};
use clap::Args;
use dayfly_plan::settings::{self, Gathered, Shown};
use dayfly_plan::{Facts, Problem, Severity, Source, Way, plan};
use facts::FactsArgs;
use serde_json::json;

use crate::output::{print, say};

/// Shows what a node would do with a kernel command line, and where each setting comes from
#[derive(Debug, Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    facts: FactsArgs,
    /// Show defaults too, not only what was set
    #[arg(long)]
    all: bool,
    /// As JSON, with the names that boot.json uses
    #[arg(long)]
    json: bool,
}

/// Runs the command. Settings that a node would refuse are an error here too.
pub fn run(args: &ExplainArgs) -> Result<()> {
    let (facts, wrong) = args.facts.facts()?;
    let (settings, problems) = settings::gather(&facts);
    let refused = problems.iter().filter(|problem| problem.severity == Severity::Refuse).count();
    let plan = (refused == 0).then(|| plan(&settings, &facts.discovered));
    let rows = settings.shown();
    for wrong in wrong {
        eprintln!("warning: {wrong}");
    }
    // Not an error: /config, a credential or the settings URL may still name the image.
    if refused == 0 && settings.image.is_none() && facts.discovered.way != Way::Root {
        eprintln!(
            "note: no OS image is named here, neither by root= nor by image.url: a node fails with config.no-image unless /config, a \
             credential or the settings URL names one"
        );
    }
    for hint in unanswered(&settings, &facts) {
        eprintln!("note: {hint}");
    }
    if args.json {
        print_json(plan.as_ref(), &rows, &problems)?;
    } else {
        for problem in &problems {
            eprintln!("{}: {} [{}] (from {})", word(problem), problem, problem.code, problem.source);
        }
        print_settings(&rows, args.all)?;
        if let Some(plan) = &plan {
            print(format_args!("{plan}"))?;
        }
    }
    if refused > 0 {
        bail!("a node would refuse to boot with this: {refused} value(s) cannot be used");
    }
    Ok(())
}

/// The facts that the settings' rules compare and the arguments do not give.
fn unanswered(settings: &Gathered, facts: &Facts) -> Vec<String> {
    let (asked, machine) = (settings.asked, &facts.discovered.machine);
    let named = settings.hostname.is_some() || machine.network_name.is_some();
    [
        (asked.macs && machine.macs.is_empty(), "MAC addresses", "--mac"),
        (asked.uuid && machine.uuid.is_none(), "UUID", "--uuid or --smbios"),
        (asked.serial && machine.serial.is_none(), "serial number", "--serial or --smbios"),
        (asked.name && !named, "host name", "--network-name"),
    ]
    .into_iter()
    .filter(|(is_open, ..)| *is_open)
    .map(|(_, what, option)| {
        format!("rules compare the machine's {what}, which is unknown here, so they do not match; {option} gives it")
    })
    .collect()
}

fn word(problem: &Problem) -> &'static str {
    match problem.severity {
        Severity::Refuse => "error",
        Severity::Warn => "warning",
    }
}

fn print_settings(rows: &[Shown], all: bool) -> Result<()> {
    let rows: Vec<&Shown> = rows.iter().filter(|row| all || row.source != Source::Default).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let values = rows.iter().map(|row| row.value.chars().count()).max().unwrap_or(0).min(72);
    say!("{:<width$}  {:<values$}  from", "setting", "value")?;
    for row in rows {
        say!("{:<width$}  {:<values$}  {}", row.name, row.value, row.source)?;
    }
    say!("")
}

fn print_json(plan: Option<&dayfly_plan::Plan>, rows: &[Shown], problems: &[Problem]) -> Result<()> {
    let settings: Vec<_> = rows
        .iter()
        .map(|row| json!({"name": row.name, "value": row.value, "source": row.source.to_string()}))
        .collect();
    let problems: Vec<_> = problems
        .iter()
        .map(|problem| {
            json!({
                "severity": if problem.severity == Severity::Refuse { "refuse" } else { "warn" },
                "code": problem.code.as_str(), "source": problem.source.to_string(), "text": problem.text,
            })
        })
        .collect();
    let shown = json!({
        "plan": plan.map(|plan| serde_json::to_value(plan.rows())).transpose()?,
        "absent": plan.map(|plan| serde_json::to_value(plan.absences())).transpose()?,
        "notes": plan.map(|plan| &plan.notes),
        "settings": settings,
        "problems": problems,
    });
    say!("{}", serde_json::to_string_pretty(&shown)?)
}
