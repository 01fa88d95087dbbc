//! `dayfly chart`: the timeline of a boot.json as an SVG.

use std::fmt::Write;
use std::path::PathBuf;
use std::{fs, io};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 230.0;
const TOP: f64 = 56.0;
const ROW: f64 = 22.0;

/// Draws the timeline of a boot.json as an SVG
#[derive(Debug, Args)]
pub struct ChartArgs {
    /// A node's /run/dayfly/boot.json; - is standard input
    boot_json: PathBuf,
    /// The file to write the SVG to; standard output by default
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Boot {
    version: u32,
    outcome: String,
    finished_s: Option<f64>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(rename = "step")]
    name: String,
    phase: String,
    attempt: u32,
    start_s: f64,
    end_s: Option<f64>,
    outcome: String,
    #[serde(default)]
    detail: String,
}

/// Runs the command.
pub fn run(args: &ChartArgs) -> Result<()> {
    let name = args.boot_json.display();
    let text = if args.boot_json.as_os_str() == "-" {
        io::read_to_string(io::stdin()).context("cannot read standard input")?
    } else {
        fs::read_to_string(&args.boot_json).with_context(|| format!("cannot read {name}"))?
    };
    let boot: Boot = serde_json::from_str(&text).with_context(|| format!("{name} is not a boot.json"))?;
    if boot.version != 1 {
        bail!("{name} has version {}, this dayfly reads version 1", boot.version);
    }
    if boot.steps.is_empty() {
        bail!("{name} has no steps: the boot failed before its first step");
    }
    let svg = draw(&boot);
    if let Some(path) = &args.output {
        return fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()));
    }
    crate::output::print(format_args!("{svg}"))
}

fn draw(boot: &Boot) -> String {
    let last = boot.steps.iter().filter_map(|step| step.end_s).chain(boot.finished_s).fold(0.001, f64::max);
    let height = TOP + ROW * boot.steps.len() as f64 + 24.0;
    let x = |seconds: f64| LEFT + seconds / last * (WIDTH - LEFT - RIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">Boot timeline: {} after {last:.3} s</text>\n",
        escape(&boot.outcome)
    );
    for tick in ticks(last) {
        let at = x(tick);
        // Writing to a String cannot fail.
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{:.1}\" x2=\"{at:.1}\" y2=\"{:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{tick} s</text>",
            TOP - 6.0,
            height - 20.0,
            TOP - 10.0
        );
    }
    for (index, step) in boot.steps.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let end = step.end_s.unwrap_or(last);
        let (from, width) = (x(step.start_s), (x(end) - x(step.start_s)).max(1.5));
        let again = if step.attempt > 1 { format!(" ({})", step.attempt) } else { String::new() };
        let _ = writeln!(
            svg,
            "<text x=\"12\" y=\"{text:.1}\" fill=\"#777\">{phase}</text>\
             <text x=\"92\" y=\"{text:.1}\">{name}{again}</text>\
             <rect x=\"{from:.1}\" y=\"{bar:.1}\" width=\"{width:.1}\" height=\"14\" rx=\"2\" fill=\"{colour}\"><title>{detail}</title></rect>\
             <text x=\"{after:.1}\" y=\"{text:.1}\" fill=\"#333\">{took:.3} s{outcome}</text>",
            text = y + 12.0,
            bar = y + 1.0,
            phase = escape(&step.phase),
            name = escape(&step.name),
            colour = colour(&step.outcome),
            detail = escape(&step.detail),
            after = from + width + 6.0,
            took = end - step.start_s,
            outcome =
                if step.outcome == "done" { String::new() } else { format!(", {}", escape(&step.outcome)) },
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Round numbers of seconds from 0, at most eleven.
fn ticks(last: f64) -> impl Iterator<Item = f64> {
    let step = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
        .into_iter()
        .find(|step| last / step <= 10.0)
        .unwrap_or(last / 10.0);
    // Products, not sums: sums of 0.1 drift into labels like 0.30000000000000004.
    (0..=10)
        .map(move |count| (f64::from(count) * step * 10.0).round() / 10.0)
        .take_while(move |tick| *tick <= last)
}

fn colour(outcome: &str) -> &'static str {
    match outcome {
        "done" => "#4a90c2",
        "retried" | "tolerated" => "#e0a030",
        "failed" => "#c0392b",
        _ => "#999",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_bar_inside_the_picture() {
        let step = |name: &str, start_s, end_s, outcome: &str| Step {
            name: name.to_owned(),
            phase: "image".to_owned(),
            attempt: 1,
            start_s,
            end_s,
            outcome: outcome.to_owned(),
            detail: "a < b & \"c\"".to_owned(),
        };
        let boot = Boot {
            version: 1,
            outcome: "handover".to_owned(),
            finished_s: Some(4.0),
            steps: vec![step("fetch", 2.0, Some(3.5), "done"), step("exec", 3.5, None, "running")],
        };
        let svg = draw(&boot);
        assert_eq!(svg.matches("<rect x=").count(), 2);
        assert!(svg.contains("a &lt; b &amp; &quot;c&quot;"));
        assert!(svg.contains("1.500 s</text>") && svg.contains(", running</text>"));
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (last, all) in [
            (0.35, vec![0.0, 0.1, 0.2, 0.3]),
            (4.2, vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]),
            (31.0, vec![0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]),
        ] {
            let found: Vec<f64> = ticks(last).collect();
            assert_eq!(format!("{found:?}"), format!("{all:?}"), "{last}");
        }
    }
}
