//! Service scripts: openrc-run(8), supervise-daemon(8).

pub mod runlevels;

use super::{Kind, Restart, Service};
use crate::os::WRITTEN;

/// The service script. A service that restarts runs under supervise-daemon(8), any other one under
/// start-stop-daemon(8).
pub(super) fn script(service: &Service) -> String {
    let name = &service.name;
    let mut text = format!("#!/sbin/openrc-run\n{WRITTEN}\n");
    let mut line = |words: String| text.extend([words.as_str(), "\n"]);
    line(format!("description={}", quote(&service.description)));
    for (name, value) in &service.environment {
        line(format!("export {name}={}", quote(value)));
    }
    if service.kind == Kind::Task {
        let words = std::iter::once(&service.program).chain(&service.args).map(|word| quote(word));
        let command = words.collect::<Vec<_>>().join(" ");
        let description = quote(&format!("Running {}", service.program));
        line(format!("\nstart() {{\n\tebegin {description}\n\t{command}\n\teend $?\n}}"));
    } else {
        // OpenRC splits both variables into words and passes them to eval. Special characters and blanks would not
        // survive, so such values go into variables of their own.
        let mut by_variable = |name: String, word: &str| {
            if is_plain(word) {
                return word.to_owned();
            }
            line(format!("{name}={}", quote(word)));
            format!("\"${name}\"")
        };
        let command = by_variable("program".to_owned(), &service.program);
        let args = service.args.iter().zip(1..).map(|(arg, index)| by_variable(format!("arg{index}"), arg));
        let args = args.collect::<Vec<_>>().join(" ");
        line(format!("command={}\ncommand_args={}", quote(&command), quote(&args)));
        line(format!("output_log=/var/log/{name}.log\nerror_log=/var/log/{name}.err"));
        match service.restart {
            Restart::Always(seconds) => line(format!(
                "supervisor=supervise-daemon\nrespawn_delay={seconds}\nrespawn_max=0\nretry=SIGTERM/90/SIGKILL/5"
            )),
            Restart::No => line(format!("command_background=yes\npidfile=/run/{name}.pid")),
        }
    }

    // Set each limit separately: dash's ulimit accepts one limit per call, but rc_ulimit would pass it all of them.
    let mut limits = String::new();
    if let Some(files) = service.open_files {
        limits = format!("\tulimit -n {files}\n");
    }
    if service.unlimited {
        // dash and older busybox use -p instead of bash's -u.
        limits.push_str(
            "\tulimit -u unlimited 2>/dev/null || ulimit -p unlimited 2>/dev/null\n\tulimit -c unlimited\n",
        );
    }
    if !limits.is_empty() {
        line(format!("\nstart_pre() {{\n{limits}\treturn 0\n}}"));
    }

    let mut depend = String::new();
    if service.network {
        // `want` and not `need`: the network is up already, and the image may have no service that provides `net`.
        depend.push_str("\twant net\n\tuse dns\n\tafter firewall\n");
    }
    for (word, names) in [
        ("want", service.wants.clone()),
        ("after", service.after.iter().filter_map(|name| service_name(name)).collect()),
        ("before", service.before.iter().filter_map(|name| service_name(name)).collect()),
    ] {
        if !names.is_empty() {
            depend.extend(["\t", word, " ", &names.join(" "), "\n"]);
        }
    }
    if service.delegate {
        depend.push_str("\tneed cgroups\n");
    }
    if service.patient {
        depend.push_str("\tkeyword -timeout\n");
    }
    if !depend.is_empty() {
        line(format!("\ndepend() {{\n{depend}}}"));
    }
    text
}

/// Translates a service name. systemd units other than services do not exist in OpenRC.
fn service_name(name: &str) -> Option<String> {
    let name = name.strip_suffix(".service").unwrap_or(name);
    (!name.contains('.')).then(|| name.to_owned())
}

/// Quotes a word for the shell (POSIX XCU 2.2.2): between single quotes only the single quote is special.
fn quote(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Whether a word needs no quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._=:,+@%-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// The words that a shell makes of a text, after one or two rounds of parsing.
    fn shell(script: &str) -> Vec<String> {
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn words_reach_the_program_as_they_are() {
        let words = [
            "--v=2",
            "a b",
            "a  b",
            "100%",
            "$HOME",
            "`id`",
            "it's",
            "a\"b\\c",
            ";",
            "",
            "*",
            "two\nlines",
            "größe",
            "#x",
            "~",
            "a&b",
            "-n",
        ];
        for word in words {
            assert_eq!(shell(&format!("printf '%s\\0' {}", quote(word))), [word]);
        }
        // Parse it like openrc-run and supervise-daemon.sh.
        let service = Service {
            program: "/usr/bin/printf".to_owned(),
            args: std::iter::once("%s\\0").chain(words).map(str::to_owned).collect(),
            ..Service::default()
        };
        assert_eq!(shell(&format!("{}\neval $command $command_args", script(&service))), words);
    }

    #[test]
    fn whole_scripts() {
        let mut service = Service {
            name: "thing".to_owned(),
            description: "Does it".to_owned(),
            program: "/usr/bin/thing".to_owned(),
            args: vec!["--a".to_owned(), "b c".to_owned()],
            environment: vec![("KEY".to_owned(), "a value".to_owned())],
            restart: Restart::Always(10),
            network: true,
            wants: vec!["containerd".to_owned()],
            after: vec!["dbus.socket".to_owned(), "crio.service".to_owned()],
            open_files: Some(1_048_576),
            unlimited: true,
            delegate: true,
            ..Service::default()
        };
        let expected = "#!/sbin/openrc-run
# Written by Dayfly at boot; the next boot overwrites changes.

description='Does it'
export KEY='a value'
arg2='b c'
command=/usr/bin/thing
command_args='--a \"$arg2\"'
output_log=/var/log/thing.log
error_log=/var/log/thing.err
supervisor=supervise-daemon
respawn_delay=10
respawn_max=0
retry=SIGTERM/90/SIGKILL/5

start_pre() {
\tulimit -n 1048576
\tulimit -u unlimited 2>/dev/null || ulimit -p unlimited 2>/dev/null
\tulimit -c unlimited
\treturn 0
}

depend() {
\twant net
\tuse dns
\tafter firewall
\twant containerd
\tafter crio
\tneed cgroups
}
";
        assert_eq!(script(&service), expected);
        service = Service {
            kind: Kind::Task,
            name: "once".to_owned(),
            description: "Once".to_owned(),
            program: "/bin/true".to_owned(),
            ..Service::default()
        };
        assert!(script(&service).ends_with(
            "description=Once\n\nstart() {\n\tebegin 'Running /bin/true'\n\t/bin/true\n\teend $?\n}\n"
        ));
        service.kind = Kind::Daemon;
        assert!(script(&service).ends_with("command_background=yes\npidfile=/run/once.pid\n"));
        for text in [script(&service), expected.to_owned()] {
            let checked = Command::new("sh").args(["-n", "-c", &text]).status().unwrap();
            assert!(checked.success(), "{text}");
        }
    }
}
