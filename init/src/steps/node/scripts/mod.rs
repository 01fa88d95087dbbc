//! Scripts from Git repositories that run after the OS is up. Everything they need is written before the service
//! manager reads its units.

use dayfly_plan::{Code, ScriptPlan};
use dayfly_sys::SysError;

use crate::Failure;
use crate::context::{Context, Done};
use crate::os::{self, WRITTEN};
use crate::secret_file;
use crate::services::systemd::units::ETC;
use crate::services::{self, Kind, Manager, Service};

/// The program that clones or pulls a repository and runs its script. It runs with the OS's shell, after Dayfly has
/// ended.
const RUN: &str = include_str!("run.sh");
const FOLDER: &str = "/etc/dayfly/scripts";

/// Writes the files for all scripts.
pub fn stage(cx: &Context, scripts: &[ScriptPlan]) -> Result<Done, Failure> {
    let manager = services::manager(cx)?;
    let failed = |error| Failure::from_sys(Code::NodeWrite, "stage the Git scripts", &error);
    if !os::has(&*cx.sys, "/usr/bin/git").map_err(failed)? {
        return Err(Failure::new(Code::NodeWrite, "stage the Git scripts", "the image has no /usr/bin/git")
            .with_fix("Install git in the image, or remove the scripts from the settings."));
    }
    os::write(&*cx.sys, &format!("{FOLDER}/run"), RUN, 0o755).map_err(failed)?;
    let mut names = Vec::new();
    for script in scripts {
        match write(cx, manager, script) {
            Ok(()) => names.push(script.name.as_str()),
            Err(error) => {
                let tried = format!("stage the Git script {}", script.name);
                cx.tolerate(&Failure::from_sys(Code::NodeWrite, tried, &error));
            }
        }
    }
    Ok(Done::with(format!("{} of {}: {}", names.len(), scripts.len(), names.join(" "))))
}

fn write(cx: &Context, manager: Manager, script: &ScriptPlan) -> Result<(), SysError> {
    let name = &script.name;
    os::write(&*cx.sys, &format!("{FOLDER}/{name}.conf"), &configuration(script), 0o644)?;
    if let Some(hosts) = &script.known_hosts {
        os::write(&*cx.sys, &format!("{FOLDER}/{name}.known_hosts"), &ended(hosts), 0o644)?;
    }
    if let Some(key) = &script.ssh_key {
        secret_file::write(&*cx.sys, &format!("script-{name}"), &ended(key.expose()))?;
    }
    match manager {
        Manager::Systemd => {
            let unit = format!("dayfly-git-{name}");
            os::write(&*cx.sys, &format!("{ETC}/{unit}.service"), &unit_text(name), 0o644)?;
            os::write(&*cx.sys, &format!("{ETC}/{unit}.timer"), &timer_text(script), 0o644)?;
            let link = format!("{ETC}/timers.target.wants/{unit}.timer");
            os::link(&*cx.sys, &format!("../{unit}.timer"), &link)
        }
        Manager::OpenRc => {
            let service = Service {
                name: format!("dayfly-git-{name}"),
                description: format!("Git script {name}"),
                program: format!("{FOLDER}/run"),
                args: vec!["--background".to_owned(), name.clone()],
                kind: Kind::Task,
                network: true,
                ..Service::default()
            };
            manager.install(&*cx.sys, &service)?;
            os::write(&*cx.sys, &format!("/etc/cron.d/dayfly-git-{name}"), &cron_text(script), 0o644)
        }
    }
}

/// Adds a newline at the end: ssh(1) refuses a key file without it.
fn ended(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

/// The configuration as assignments for sh(1).
fn configuration(script: &ScriptPlan) -> String {
    format!(
        "{WRITTEN}url={}\nbranch={}\nprogram={}\n",
        quote(&script.url),
        quote(script.branch.as_deref().unwrap_or_default()),
        quote(&script.program)
    )
}

/// POSIX "2.2.2 Single-Quotes".
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// systemd.service(5).
fn unit_text(name: &str) -> String {
    format!(
        "{WRITTEN}\
         [Unit]\nDescription=Git script {name}\nWants=network-online.target\nAfter=network-online.target\n\n\
         [Service]\nType=oneshot\nExecStart={FOLDER}/run {name}\n"
    )
}

/// systemd.timer(5): starts at once when timers start, and then at an interval after each end.
fn timer_text(script: &ScriptPlan) -> String {
    format!(
        "{WRITTEN}\
         [Unit]\nDescription=Git script {}, every {} s\n\n\
         [Timer]\nOnActiveSec=0\nOnUnitInactiveSec={}\nAccuracySec=1\n\n\
         [Install]\nWantedBy=timers.target\n",
        script.name,
        script.interval.as_secs(),
        script.interval.as_secs()
    )
}

/// crontab(5) has a resolution of one minute.
fn cron_text(script: &ScriptPlan) -> String {
    let minutes = script.interval.as_secs().div_ceil(60).max(1);
    let when = match minutes {
        1 => "* * * * *".to_owned(),
        2..=59 => format!("*/{minutes} * * * *"),
        60..=1439 => format!("0 */{} * * *", minutes / 60),
        _ => "0 0 * * *".to_owned(),
    };
    format!(
        "{WRITTEN}\
         PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         {when} root {FOLDER}/run {} >/dev/null\n",
        script.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn script(seconds: u64) -> ScriptPlan {
        ScriptPlan {
            name: "node".to_owned(),
            url: "https://git.example/a b's.git".to_owned(),
            branch: None,
            program: "run.sh".to_owned(),
            interval: Duration::from_secs(seconds),
            ssh_key: None,
            known_hosts: None,
        }
    }

    #[test]
    fn intervals_are_what_cron_can_say() {
        for (seconds, when) in [
            (1, "* * * * *"),
            (61, "*/2 * * * *"),
            (300, "*/5 * * * *"),
            (3600, "0 */1 * * *"),
            (86400, "0 0 * * *"),
        ] {
            assert!(cron_text(&script(seconds)).contains(&format!("\n{when} root ")), "{seconds}");
        }
    }

    #[test]
    fn words_reach_the_shell_as_they_are() {
        assert!(configuration(&script(300)).contains("url='https://git.example/a b'\\''s.git'\n"));
    }
}
