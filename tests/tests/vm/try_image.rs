//! `dayfly try`, as a CI job would run it.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{image::Image, vm::Accel};

use crate::{
    Scenario,
    lab::{Lab, dayfly, image_path, init, kernel},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("try_image_of_a_file", of_a_file)];
pub const RARE: &[Scenario] = &[("try_image_of_an_archive", of_an_archive)];

/// The outcome of a try.
struct Outcome {
    status: Option<i32>,
    said: String,
    console: String,
}

fn attempt(lab: &Lab, image: &str, more: &[&str]) -> Result<Outcome> {
    let accel = if Accel::choose(kernel()?)? == Accel::Kvm { "kvm" } else { "tcg" };
    let mut command = Command::new(dayfly()?);
    command.args(["try", image, "--accel", accel, "--init"]).arg(init()?).args(more);
    let output = command.output().context("dayfly try")?;
    fs::write(lab.log()?, &output.stderr)?;
    Ok(Outcome {
        status: output.status.code(),
        said: String::from_utf8(output.stdout)?,
        console: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The cached image, with settings, parameters and a new state disk; the check ends with its own status.
fn of_a_file(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("node.toml"), "version = 1\n[file.\"/etc/motd\"]\ncontent = \"from settings\\n\"\n")?;
    let check =
        "hostname; cat /etc/motd; findmnt -no SOURCE /var; systemctl is-system-running --wait >&2; exit 7";
    let image = image_path(Image::Debian)?.display().to_string();
    let (state, settings, boot) =
        (format!("{}:512M", path("state.img")), path("node.toml"), path("boot.json"));
    let more = [
        "--check",
        check,
        "--cmdline",
        "dayfly.hostname=tried",
        "--state-disk",
        &state,
        "--settings",
        &settings,
        "--boot-json",
        &boot,
    ];
    let outcome = attempt(lab, &image, &more)?;
    same!(outcome.status, Some(7), "the status, with {}", outcome.said);
    // The image's own test agent writes to the same port when the OS is up.
    let lines: Vec<&str> =
        outcome.said.lines().filter(|line| !line.starts_with("DAYFLY-TEST") && !line.is_empty()).collect();
    same!(lines.first(), Some(&"tried"));
    same!(lines.get(1), Some(&"from settings"));
    ensure!(
        lines.get(2).is_some_and(|line| line.starts_with("/dev/vda")),
        "/var is not on the disk: {lines:?}"
    );
    same!(lines.get(3), Some(&"running"));
    let boot: serde_json::Value = serde_json::from_slice(&fs::read(path("boot.json"))?)?;
    same!(boot["node"]["hostname"], "tried");
    // Not the prompt: the check does not wait for it.
    ensure!(outcome.console.contains("Welcome to "), "the console is not shown");
    Ok(())
}

/// A container's archive of two layers, with a check that succeeds; and an image that does not exist.
fn of_an_archive(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = "set -e; cd \"$1\"
        unsquashfs -quiet -no-progress -dest tree \"$2\" >unsquashfs.log
        mkdir lower upper
        tar --xattrs --numeric-owner -C tree -cf lower/layer.tar .
        mkdir -p over/etc
        echo 'of the upper layer' >over/etc/motd
        touch over/etc/.wh.issue
        tar -C over --owner 0 --group 0 -czf upper/layer.tar etc
        echo '[{\"RepoTags\": [\"os:1\"], \"Layers\": [\"lower/layer.tar\", \"upper/layer.tar\"]}]' >manifest.json
        tar -cf os.tar manifest.json lower upper
        rm -r tree over lower upper";
    let image = image_path(Image::Debian)?;
    let made = Command::new("sh").args(["-c", script, "sh"]).arg(folder.path()).arg(&image).status()?;
    ensure!(made.success(), "the archive could not be made");
    let archive = folder.path().join("os.tar").display().to_string();
    let check = "cat /etc/motd; stat -c '%a %U %G' /etc/shadow /; test ! -e /etc/issue";
    let outcome = attempt(lab, &archive, &["--check", check])?;
    same!(outcome.said, "of the upper layer\n640 root shadow\n755 root root\n");
    same!(outcome.status, Some(0));

    let refused = attempt(lab, &folder.path().join("none").display().to_string(), &["--check", "true"])?;
    same!(refused.status, Some(125));
    ensure!(refused.console.contains("there is no image"), "{}", refused.console);
    Ok(())
}
