//! Runs a host command quietly, with a spinner, and shows its output only when it fails.

use std::{
    io::{BufRead, BufReader, IsTerminal, Read, Write},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// How many lines of a failed command's output the error shows.
const TAIL: usize = 30;

/// Prints one line of what the harness is doing, on stderr.
pub fn say(text: &str) {
    eprintln!("==> {text}");
}

/// Runs `command`; `what` describes it. On a terminal a spinner shows the latest line; a log gets `what` and the time it took.
/// Returns everything it printed (stdout and stderr in their order). A non-zero exit is an error with the last lines.
pub fn run(what: &str, command: &mut Command) -> Result<String> {
    let started = Instant::now();
    let spinner =
        if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    spinner.set_style(ProgressStyle::with_template("{spinner} {prefix} ({elapsed}) {wide_msg:.dim}")?);
    spinner.set_prefix(what.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(120));
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().with_context(
            || format!("{what}: cannot start {program}; qemu/provision installs what is missing"),
        )?;
    let (sender, lines) = mpsc::channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ];
    for pipe in pipes.into_iter().flatten() {
        let sender = sender.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
    }
    drop(sender);
    let mut output = Vec::new();
    for line in lines {
        spinner.set_message(line.trim().to_owned());
        output.push(line);
    }
    let status = child.wait().with_context(|| format!("{what}: cannot wait for {program}"))?;
    spinner.finish_and_clear();
    if !status.success() {
        let tail = output[output.len().saturating_sub(TAIL)..].join("\n");
        bail!("{what}: {program} ended with {status}. Its last lines:\n{tail}");
    }
    let took = started.elapsed();
    if took > Duration::from_secs(2) {
        say(&format!("{what}: {:.1} s", took.as_secs_f32()));
    }
    Ok(output.join("\n"))
}

/// Runs `command` silently with `input` on its standard input, and returns its standard output. A non-zero exit is an error with its
/// standard error.
pub fn output(command: &mut Command, input: &[u8]) -> Result<String> {
    let what =
        format!("{} {:?}", command.get_program().to_string_lossy(), command.get_args().collect::<Vec<_>>());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {what}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading reports the reason itself.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().with_context(|| format!("cannot wait for {what}"))?;
    if !output.status.success() {
        bail!("{what} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Like [`run`], for a program and its arguments.
pub fn call(what: &str, program: &str, args: &[&str]) -> Result<String> {
    run(what, Command::new(program).args(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_output_or_a_telling_error() {
        assert_eq!(call("greet", "echo", &["hello"]).unwrap(), "hello");
        let error = call("fail", "sh", &["-c", "echo the reason >&2; exit 3"]).unwrap_err().to_string();
        assert!(
            error.contains("fail: sh") && error.contains("exit status: 3") && error.contains("the reason"),
            "{error}"
        );
        assert_eq!(output(&mut Command::new("cat"), b"in").unwrap(), "in");
        let error =
            output(Command::new("sh").args(["-c", "echo no >&2; exit 3"]), b"").unwrap_err().to_string();
        assert!(error.contains("exit status: 3: no"), "{error}");
        let error = format!("{:#}", call("start", "no-such-program-at-all", &[]).unwrap_err());
        assert!(error.contains("qemu/provision"), "{error}");
    }
}
