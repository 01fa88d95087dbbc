//! `dayfly explain`: the plan that a node would make of a command line and a settings file.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use dayfly_plan::settings::{self, Shown};
use dayfly_plan::{Facts, Problem, Severity, Source, Way, plan};
use serde_json::json;

/// Shows what a node would do with a kernel command line, and where each setting comes from
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The kernel command line, in one argument
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    cmdline: String,
    /// The settings file that the initramfs would hold (TOML)
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// How Dayfly would be started
    #[arg(long, value_enum, default_value_t = WayArg::Initramfs)]
    way: WayArg,
    /// Show defaults too, not only what was set
    #[arg(long)]
    all: bool,
    /// As JSON, with the names that boot.json uses
    #[arg(long)]
    json: bool,
}

/// The ways in, as words of the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum WayArg {
    /// As /init of an initramfs
    Initramfs,
    /// By dracut's module
    Dracut,
    /// As init= on a mounted root
    Root,
}

impl From<WayArg> for Way {
    fn from(arg: WayArg) -> Self {
        match arg {
            WayArg::Initramfs => Way::Initramfs,
            WayArg::Dracut => Way::Dracut,
            WayArg::Root => Way::Root,
        }
    }
}

/// Runs it. A command line that would be refused at boot is an error here too.
pub fn run(args: &ExplainArgs) -> Result<()> {
    let file = match &args.settings {
        Some(path) => {
            Some(fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?)
        }
        None => None,
    };
    let mut facts = Facts::from_cmdline(args.cmdline.clone()).on_way(args.way.into());
    if let Some(text) = file {
        facts = facts.with_file(text);
    }
    let (settings, mut problems) = settings::gather(&facts);
    let is_refusal = |problem: &&Problem| problem.severity == Severity::Refuse;
    let mut made = None;
    if problems.iter().find(is_refusal).is_none() {
        match plan(&settings) {
            Ok(plan) => made = Some(plan),
            Err(problem) => problems.push(problem),
        }
    }
    let (plan, refused) = (made, problems.iter().filter(is_refusal).count());
    let rows = settings.shown();
    if args.json {
        print_json(plan.as_ref(), &rows, &problems)?;
    } else {
        for problem in &problems {
            eprintln!("{}: {} [{}] (from {})", word(problem), problem, problem.code, problem.source);
        }
        print_settings(&rows, args.all);
        if let Some(plan) = &plan {
            print!("{plan}");
        }
    }
    match refused {
        0 => Ok(()),
        count => bail!("a node would refuse to boot with this: {count} value(s) cannot be used"),
    }
}

fn word(problem: &Problem) -> &'static str {
    match problem.severity {
        Severity::Refuse => "error",
        Severity::Warn => "warning",
    }
}

fn print_settings(rows: &[Shown], all: bool) {
    let rows: Vec<&Shown> = rows.iter().filter(|row| all || row.source != Source::Default).collect();
    if rows.is_empty() {
        return;
    }
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let values = rows.iter().map(|row| row.value.chars().count()).max().unwrap_or(0).min(72);
    println!("{:<width$}  {:<values$}  from", "setting", "value");
    for row in rows {
        println!("{:<width$}  {:<values$}  {}", row.name, row.value, row.source);
    }
    println!();
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
        "notes": plan.map(|plan| &plan.notes),
        "settings": settings,
        "problems": problems,
    });
    println!("{}", serde_json::to_string_pretty(&shown)?);
    Ok(())
}
