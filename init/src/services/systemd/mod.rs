//! Writes unit files: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5).

use std::fmt::Write;

pub mod units;

use super::{Kind, Restart, Service};
use crate::os::WRITTEN;

/// The target that starts the service.
pub(super) const TARGET: &str = "multi-user.target";

/// The unit file.
pub(super) fn unit(service: &Service) -> String {
    let mut text = format!("{WRITTEN}[Unit]\n");
    let mut line = |key: &str, value: &str| text.extend([key, "=", value, "\n"]);
    line("Description", &specifiers(&service.description));
    if let Some(url) = &service.documentation {
        line("Documentation", &specifiers(url));
    }
    if service.if_executable {
        line("ConditionFileIsExecutable", &specifiers(&service.program));
    }
    let network = service.network.then(|| "network-online.target".to_owned());
    let units = |names: &[String]| names.iter().map(|name| unit_name(name)).collect::<Vec<_>>();
    let wants: Vec<String> = network.into_iter().chain(units(&service.wants)).collect();
    let after: Vec<String> = wants.iter().cloned().chain(units(&service.after)).collect();
    for (key, names) in [("Wants", wants), ("After", after), ("Before", units(&service.before))] {
        if !names.is_empty() {
            line(key, &names.join(" "));
        }
    }
    if matches!(service.restart, Restart::Always(_)) {
        // No limit of start attempts.
        line("StartLimitIntervalSec", "0");
    }

    line(
        "\n[Service]\nType",
        match service.kind {
            Kind::Daemon => "exec",
            Kind::Notify => "notify",
            Kind::Task => "oneshot",
        },
    );
    if service.kind == Kind::Task {
        line("RemainAfterExit", "yes");
    }
    let program = quote(&service.program, false);
    let args = service.args.iter().map(|arg| format!(" {}", quote(arg, true)));
    line("ExecStart", &format!("{program}{}", args.collect::<String>()));
    for (name, value) in &service.environment {
        line("Environment", &quote(&format!("{name}={value}"), false));
    }
    if let Restart::Always(seconds) = service.restart {
        line("Restart", "always");
        line("RestartSec", &seconds.to_string());
    }
    if service.patient {
        line("TimeoutStartSec", "0");
    }
    if service.delegate {
        line("Delegate", "yes");
    }
    if service.only_main {
        line("KillMode", "process");
    }
    if let Some(files) = service.open_files {
        line("LimitNOFILE", &files.to_string());
    }
    if service.unlimited {
        line("LimitNPROC", "infinity");
        line("LimitCORE", "infinity");
        line("TasksMax", "infinity");
    }

    line("\n[Install]\nWantedBy", TARGET);
    text
}

/// `containerd` becomes `containerd.service`; a name with a suffix stays.
fn unit_name(name: &str) -> String {
    const SUFFIXES: [&str; 6] = [".service", ".target", ".socket", ".mount", ".timer", ".path"];
    let has_suffix = SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    if has_suffix { name.to_owned() } else { format!("{name}.service") }
}

/// Escapes `%`, which starts a specifier (systemd.unit(5), "Specifiers"), and removes line ends, which end a value.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%").replace(['\n', '\r', '\0'], " ")
}

/// Quotes a word: "Quoting" in systemd.syntax(7), "Command lines" in systemd.service(5). A `$` starts a variable in
/// arguments, but not in the program path or the environment.
fn quote(text: &str, is_argument: bool) -> String {
    let mut quoted = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' => quoted.push_str("%%"),
            '$' if is_argument => quoted.push_str("$$"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // NUL cannot occur in an argument, because execve(2) ends the string there.
            c if c.is_ascii_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    let is_plain = !text.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"'\\;#".contains(c));
    if is_plain { quoted } else { format!("\"{quoted}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_program_as_they_are() {
        for (text, argument, environment) in [
            ("--v=2", "--v=2", "--v=2"),
            ("--node-labels=a b", "\"--node-labels=a b\"", "\"--node-labels=a b\""),
            ("100%", "100%%", "100%%"),
            ("$HOME", "$$HOME", "$HOME"),
            ("${HOME}", "$${HOME}", "${HOME}"),
            ("a\"b\\c", "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\""),
            ("it's", "\"it's\"", "\"it's\""),
            (";", "\";\"", "\";\""),
            ("two\nlines\tand a tab", "\"two\\nlines\\tand a tab\"", "\"two\\nlines\\tand a tab\""),
            ("\u{1b}", "\"\\x1b\"", "\"\\x1b\""),
            ("", "\"\"", "\"\""),
            ("größe", "größe", "größe"),
        ] {
            assert_eq!(quote(text, true), argument, "argument {text:?}");
            assert_eq!(quote(text, false), environment, "environment {text:?}");
        }
    }

    #[test]
    fn a_whole_unit() {
        let service = Service {
            name: "thing".to_owned(),
            description: "Does 100% of\nit".to_owned(),
            documentation: Some("https://example.org/a%20b".to_owned()),
            program: "/usr/bin/thing".to_owned(),
            args: vec!["--a".to_owned(), "b c".to_owned()],
            environment: vec![("KEY".to_owned(), "a value".to_owned())],
            restart: Restart::Always(10),
            network: true,
            wants: vec!["containerd".to_owned()],
            after: vec!["dbus.socket".to_owned()],
            before: vec!["last".to_owned()],
            if_executable: true,
            open_files: Some(999_999),
            unlimited: true,
            delegate: true,
            only_main: true,
            patient: true,
            ..Service::default()
        };
        let expected = "# Written by Dayfly at boot; the next boot overwrites changes.
[Unit]
Description=Does 100%% of it
Documentation=https://example.org/a%%20b
ConditionFileIsExecutable=/usr/bin/thing
Wants=network-online.target containerd.service
After=network-online.target containerd.service dbus.socket
Before=last.service
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/usr/bin/thing --a \"b c\"
Environment=\"KEY=a value\"
Restart=always
RestartSec=10
TimeoutStartSec=0
Delegate=yes
KillMode=process
LimitNOFILE=999999
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
";
        assert_eq!(unit(&service), expected);
        let task = Service { kind: Kind::Task, program: "/bin/true".to_owned(), ..Service::default() };
        assert!(
            unit(&task).contains(
                "\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n\n[Install]\n"
            )
        );
    }
}
