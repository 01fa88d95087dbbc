//! `dayfly initramfs`: builds the image that the boot loader passes to the kernel.

mod archive;
mod compress;
mod contents;
mod firmware;
mod module_file;
mod profile;
mod program;
mod report;
mod selection;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use dayfly_plan::Facts;
use dayfly_plan::{Severity, paths};

use crate::kernel::KernelArgs;
use crate::output::{print, say, write_whole};
use crate::progress::Progress;
use compress::Compress;
use contents::Contents;
use profile::Profile;

/// The CA bundle that Debian, Ubuntu, Alpine and Arch have.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Builds an initramfs that boots with Dayfly
#[derive(Debug, Args)]
pub struct InitramfsArgs {
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    kernel: KernelArgs,
    /// Which drivers to pack; may be repeated
    #[arg(long, value_enum, default_values = ["generic"])]
    profile: Vec<Profile>,
    /// Also pack this module (or alias) and what it needs; may be repeated
    #[arg(long, value_name = "NAME")]
    add_module: Vec<String>,
    /// Leave this module out; may be repeated
    #[arg(long, value_name = "NAME")]
    omit_module: Vec<String>,
    /// The static init program [default: dayfly-init beside this program, /usr/lib/dayfly/init, or the release build]
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    /// Settings to pack as /etc/dayfly.toml
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The certificates that https:// servers are checked against (PEM), or `none` [default: the system's, if it has any]
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    /// How to compress the image [default: lz4 for the profile virtio alone, else zstd]
    #[arg(long, value_enum)]
    compress: Option<Compress>,
    /// The compression level of zstd; 19 saves another tenth of the size and takes thirty times as long
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(i32).range(1..=19))]
    level: i32,
    /// A file or folder to pack, and its absolute path inside; may be repeated
    #[arg(long, value_name = "SRC:DST")]
    add_file: Vec<String>,
    /// A static busybox, for the rescue shell
    #[arg(long, value_name = "FILE")]
    shell: Option<PathBuf>,
    /// Pack the firmware that the modules name from this folder, usually /lib/firmware
    #[arg(long, value_name = "DIR")]
    firmware: Option<PathBuf>,
}

/// Builds the image and prints the size table.
pub fn run(args: &InitramfsArgs) -> Result<()> {
    let progress = Progress::new();
    let kernel = args.kernel.open()?;
    let mut profiles = args.profile.clone();
    profiles.dedup();
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name()).collect();
    say!("initramfs for kernel {}, profile {}", kernel.release, names.join(" and "))?;

    let selection = selection::select(&kernel, &profiles, &args.add_module, &args.omit_module)?;
    let mut contents = Contents::new()?;
    contents.notes.extend(kernel.table.notes().iter().cloned());
    let init_path = match &args.init {
        Some(path) => path.clone(),
        None => program::default_init()?,
    };
    let init = contents.init(&init_path)?;
    contents.modules(&kernel, &selection, &init, args.firmware.as_deref(), &progress)?;
    if let Some(shell) = &args.shell {
        contents.shell(shell)?;
    }
    if let Some(settings) = &args.settings {
        check_settings(settings, &mut contents.notes)?;
        contents.copy("settings", "--settings", settings, paths::SETTINGS)?;
    }
    add_ca_bundle(&mut contents, args.ca_bundle.as_deref())?;
    for pair in &args.add_file {
        let (source, target) = pair
            .split_once(':')
            .with_context(|| format!("--add-file {pair}: expected SRC:DST, as in ./hosts:/etc/hosts"))?;
        contents.added(Path::new(source), target)?;
    }
    let time = contents.finish(&kernel.release, crate::epoch::source_date_epoch()?)?;

    let mut archive = Vec::new();
    contents.archive.write(&mut archive, time)?;
    let size = archive.len() as u64;
    let how =
        args.compress.unwrap_or(if profiles == [Profile::Virtio] { Compress::Lz4 } else { Compress::Zstd });
    let step = progress.step(&format!("compressing {}, {}", crate::size::human(size), how.name()), 0);
    let image = how.pack(archive, args.level)?;
    drop(step);
    write_whole(&args.output, &image)?;

    print(format_args!(
        "{}",
        report::table(&contents.parts, size, image.len() as u64, &format!("written, {}", how.name()))
    ))?;
    for note in &contents.notes {
        say!("note: {note}")?;
    }
    say!("{}", args.output.display())
}

fn add_ca_bundle(contents: &mut Contents, given: Option<&Path>) -> Result<()> {
    let path = match given {
        Some(path) if path.as_os_str() == "none" => return Ok(()),
        Some(path) => path,
        None if Path::new(CA_BUNDLE).is_file() => Path::new(CA_BUNDLE),
        None => {
            contents.notes.push(format!(
                "there is no {CA_BUNDLE}, so https:// will not work; install ca-certificates, or give --ca-bundle"
            ));
            return Ok(());
        }
    };
    contents.copy("CA bundle", "--ca-bundle", path, paths::CA_BUNDLE)
}

/// Refuses settings that a node would refuse, while they can still be corrected.
fn check_settings(path: &Path, notes: &mut Vec<String>) -> Result<()> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--settings: cannot read {} as text", path.display()))?;
    let (_, problems) = dayfly_plan::settings::gather(&Facts::default().with_file(text.as_str()));
    let (refused, warnings): (Vec<_>, Vec<_>) =
        problems.into_iter().partition(|problem| problem.severity == Severity::Refuse);
    notes.extend(warnings.iter().map(|problem| format!("{}: {problem}", path.display())));
    if refused.is_empty() {
        return Ok(());
    }
    let refused: Vec<String> = refused.iter().map(|problem| format!("  {problem}")).collect();
    bail!("--settings {}: a node would not boot with it:\n{}", path.display(), refused.join("\n"))
}
