//! `--check`: a command that runs in the guest when its OS is up. Settings add a script and a service to the node, like any other file.
//! The command's output, its exit status and boot.json come back over the second serial port, which no image uses.

use anyhow::{Context, Result};

/// Each part of the guest's answer begins with this mark and a number that the command cannot know.
const MARK: &str = "dayfly-try";

/// The script's path in the guest. /etc is in memory in every layout.
const SCRIPT: &str = "/etc/dayfly-try";

/// The second serial port.
const PORT: &str = "/dev/ttyS1";

/// The record of the boot.
const BOOT_JSON: &str = "/run/dayfly/boot.json";

/// The service's name, in systemd and OpenRC.
const SERVICE: &str = "dayfly-try";

/// A settings file, given as the credential `dayfly.toml`, that runs the command. It has a service for systemd and one for OpenRC;
/// the image starts the one that its init knows.
pub fn settings(command: &str, token: &str) -> String {
    // The boot does not wait for the service, so the command can ask whether the boot is over.
    let unit = format!(
        "[Unit]\n\
         Description=The check of dayfly try\n\
         After=multi-user.target\n\
         [Service]\n\
         Type=simple\n\
         ExecStart=/bin/sh {SCRIPT}\n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    );
    let openrc = format!(
        "#!/sbin/openrc-run\n\
         description=\"The check of dayfly try\"\n\
         command=/bin/sh\n\
         command_args={SCRIPT}\n\
         command_background=yes\n\
         pidfile=/run/{SERVICE}.pid\n\
         depend() {{\n\tafter *\n}}\n"
    );
    let file = |path: &str, mode: &str, content: &str| {
        format!("[file.{}]\nmode = {}\ncontent = {}\n", toml(path), toml(mode), toml(content))
    };
    [
        "version = 1\n".to_owned(),
        file(SCRIPT, "0700", &script(command, token)),
        file(&format!("/etc/systemd/system/{SERVICE}.service"), "0644", &unit),
        file(&format!("/etc/init.d/{SERVICE}"), "0755", &openrc),
        format!("[unit.{}]\nenable = true\n", toml(&format!("{SERVICE}.service"))),
    ]
    .concat()
}

fn script(command: &str, token: &str) -> String {
    // `eval` gets the command as one string, so a comment or a missing quote in it cannot swallow the lines that follow.
    format!(
        "#!/bin/sh\n\
         exec </dev/null >{PORT} 2>&1\n\
         stty raw -echo <&1 2>/dev/null\n\
         export HOME=/root LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         cd /\n\
         echo '{MARK} {token} begin'\n\
         (eval {})\n\
         status=$?\n\
         sync\n\
         echo\n\
         echo \"{MARK} {token} status $status\"\n\
         cat {BOOT_JSON}\n\
         echo\n\
         echo '{MARK} {token} end'\n",
        quote(command)
    )
}

/// Quotes a text as one word of a shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Quotes a text as a basic string of TOML.
fn toml(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            letter if letter.is_control() => quoted.extend(format!("\\u{:04x}", letter as u32).chars()),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// The answer that has arrived on the port so far.
#[derive(Debug)]
pub struct Report {
    mark: Vec<u8>,
    pending: Vec<u8>,
    part: Part,
    /// The command's exit status.
    pub status: Option<u8>,
    boot: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Before,
    Output,
    Boot,
    End,
}

impl Report {
    /// An answer that has not begun.
    pub fn new(token: &str) -> Self {
        Self {
            mark: format!("{MARK} {token} ").into_bytes(),
            pending: Vec::new(),
            part: Part::Before,
            status: None,
            boot: Vec::new(),
        }
    }

    /// Whether the command has begun.
    pub fn has_begun(&self) -> bool {
        self.part != Part::Before
    }

    /// Whether the answer is complete.
    pub fn is_whole(&self) -> bool {
        self.part == Part::End
    }

    /// The node's boot.json, if it has one.
    pub fn boot_json(&self) -> Option<&[u8]> {
        Some(self.boot.trim_ascii()).filter(|boot| !boot.is_empty())
    }

    /// Adds bytes from the port and returns the command's output in them. Holds back bytes that may be a mark, and the end of line
    /// before them, which the script adds.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        // Without stty in the image, its terminal adds carriage returns.
        self.pending.extend(bytes.iter().copied().filter(|&byte| byte != b'\r'));
        let mut said = Vec::new();
        while self.part != Part::End {
            let Some(at) = find(&self.pending, &self.mark) else {
                let keep = self.pending.len().saturating_sub(self.mark.len() + 1);
                let before = self.pending.drain(..keep).collect();
                self.take(before, &mut said);
                break;
            };
            let start = at + self.mark.len();
            let rest = self.pending.get(start..).unwrap_or_default();
            let Some(length) = rest.iter().position(|&byte| byte == b'\n') else { break };
            let word = String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned();
            let mut before: Vec<u8> = self.pending.drain(..=start + length).collect();
            before.truncate(at);
            if before.last() == Some(&b'\n') {
                before.pop();
            }
            self.take(before, &mut said);
            self.turn(&word)?;
        }
        Ok(said)
    }

    fn take(&mut self, bytes: Vec<u8>, said: &mut Vec<u8>) {
        match self.part {
            Part::Output => said.extend(bytes),
            Part::Boot => self.boot.extend(bytes),
            Part::Before | Part::End => {}
        }
    }

    fn turn(&mut self, word: &str) -> Result<()> {
        match word.split_once(' ') {
            None if word == "begin" => self.part = Part::Output,
            None if word == "end" => self.part = Part::End,
            Some(("status", number)) => {
                let number =
                    number.parse().with_context(|| format!("the guest reports the status {number:?}"))?;
                self.status = Some(number);
                self.part = Part::Boot;
            }
            _ => anyhow::bail!("the check's answer has an unknown part {word:?}"),
        }
        Ok(())
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use dayfly_plan::settings::gather;
    use dayfly_plan::{Credential, Fact, Facts, Secret, Store};

    use super::*;

    #[test]
    fn a_node_takes_the_settings() {
        for command in ["true", "echo \"it's\" \\ # a\tb\u{7}", "if true\nthen exit 3; fi"] {
            let text = settings(command, "1");
            let mut facts = Facts::from_cmdline("dayfly.image.url=http://10.0.2.2/image");
            let credential = Credential { name: "dayfly.toml".into(), value: Secret::new(text.clone()) };
            facts.learn(Fact::Credential(Store::FwCfg, credential));
            let (_, problems) = gather(&facts);
            assert!(problems.is_empty(), "{problems:?}\n{text}");
        }
    }

    /// Runs the script in this host's shell, with a file in place of the port.
    #[test]
    fn the_script_answers_what_is_read() {
        let table = [
            ("true", "", 0),
            ("exit 7", "", 7),
            ("echo one; echo two >&2; false", "one\ntwo\n", 1),
            ("printf 'no end'", "no end", 0),
            ("echo \"it's\" # a comment", "it's\n", 0),
            ("sh -c 'kill -KILL $$'", "", 137),
            ("echo 'dayfly-try 1 status 0'", "dayfly-try 1 status 0\n", 0),
        ];
        for (command, said, status) in table {
            let folder = tempfile::tempdir().expect("a folder");
            let port = folder.path().join("port");
            let script = script(command, "token")
                .replace(PORT, &port.to_string_lossy())
                .replace(BOOT_JSON, "/proc/sys/kernel/ostype");
            let run = std::process::Command::new("/bin/sh").args(["-c", &script]).status().expect("a shell");
            assert!(run.success());
            let answer = std::fs::read(&port).expect("an answer");
            for piece in [1, 7, answer.len()] {
                let mut report = Report::new("token");
                let mut all = Vec::new();
                for bytes in answer.chunks(piece) {
                    assert!(!report.is_whole());
                    all.extend(report.feed(bytes).expect("understood"));
                }
                let all = String::from_utf8(all).expect("UTF-8");
                // Shells print different messages about a killed process.
                if status != 137 {
                    assert_eq!(all, said, "{command}, {piece} bytes at a time");
                }
                assert_eq!((report.status, report.is_whole()), (Some(status), true), "{command}");
                assert_eq!(report.boot_json(), Some(&b"Linux"[..]), "{command}");
            }
        }
    }

    #[test]
    fn a_shell_that_is_not_there_is_seen() {
        let mut report = Report::new("1");
        assert!(report.feed(b"noise\n").expect("understood").is_empty());
        assert!(!report.has_begun() && report.status.is_none());
        assert!(report.feed(b"dayfly-try 1 status x\n").is_err());
    }
}
