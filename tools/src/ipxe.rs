//! `dayfly ipxe`: prints the iPXE script that boots a folder's kernel, initramfs and image.

mod find;
mod script;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use dayfly_plan::settings::gather;
use dayfly_plan::{Facts, Severity};

use crate::output::{print, write_whole};
use crate::progress::Progress;
use find::Parts;
use script::{Base, Script};

/// Prints the iPXE script that boots a served folder's kernel, initramfs and image
///
/// Recognizes the files by their contents; if there are several of a kind, the options choose one. The script has the image's
/// SHA-256, so every new image needs a new script. Kernel parameters that a node would refuse are refused here.
#[derive(Debug, Args)]
pub struct IpxeArgs {
    /// The folder that is served
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The URL under which nodes find that folder; iPXE's settings may be in it, as in http://${next-server}:8080/
    #[arg(long, value_name = "URL")]
    url: String,
    /// The kernel's path inside DIR [default: the only kernel there]
    #[arg(long, value_name = "FILE")]
    kernel: Option<String>,
    /// The initramfs's path inside DIR [default: the only one there]
    #[arg(long, value_name = "FILE")]
    initramfs: Option<String>,
    /// The OS image's path inside DIR [default: the only squashfs or erofs there; none if --cmdline has the location of the image
    /// or of the settings]
    #[arg(long, value_name = "FILE")]
    image: Option<String>,
    /// More kernel parameters, in one argument
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    cmdline: String,
    /// The file to write the script to; standard output by default
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &IpxeArgs) -> Result<()> {
    let base: Base = args.url.parse()?;
    let more = script::parameters(&args.cmdline)?;
    let chosen =
        Parts { kernel: args.kernel.clone(), initramfs: args.initramfs.clone(), image: args.image.clone() };
    let parts = find::parts(&args.dir, chosen, script::names_an_image(&more))?;
    let image = match parts.image {
        Some(name) => {
            let path = args.dir.join(&name);
            find::check_image(&path)?;
            let sha256 = sha256(&path)?;
            Some((name, sha256))
        }
        None => None,
    };
    let script = Script { base, kernel: parts.kernel, initramfs: parts.initramfs, image, more };
    check(&script)?;
    let text = script.to_string();
    if let Some(path) = &args.output {
        return write_whole(path, text.as_bytes());
    }
    print(format_args!("{text}"))
}

/// Refuses what a node would refuse, and prints the warnings that a node would log.
fn check(script: &Script) -> Result<()> {
    let example = script.example()?;
    let (settings, problems) = gather(&Facts::from_cmdline(example));
    if settings.image.is_none() && settings.settings_url.is_none() {
        eprintln!(
            "warning: no OS image is named; a node boots with this only if a settings disk or its firmware names one"
        );
    }
    let (refused, warnings): (Vec<_>, Vec<_>) =
        problems.iter().partition(|problem| problem.severity == Severity::Refuse);
    for problem in warnings {
        eprintln!("warning: {problem} [{}]", problem.code);
    }
    if refused.is_empty() {
        return Ok(());
    }
    let refused: Vec<String> =
        refused.iter().map(|problem| format!("  {problem} [{}]", problem.code)).collect();
    bail!("a node would refuse to boot with this:\n{}", refused.join("\n"))
}

/// The SHA-256 of an image, in the notation of dayfly.image.sha256=.
pub fn sha256(path: &Path) -> Result<String> {
    let step = Progress::new().step(&format!("hashing {}", path.display()), 0);
    let (sha256, _) = crate::hash::file(path)?;
    drop(step);
    Ok(dayfly_plan::settings::value::Sha256(sha256).to_string())
}
