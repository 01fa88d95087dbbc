//! Writes the kubelet's unit and enables it, before the service manager reads its units for the first time.

use std::path::Path;

use dayfly_plan::{Code, KubeletPlan, paths};
use dayfly_sys::{Sys, SysError};

use crate::Failure;
use crate::context::{Context, Done};

const UNIT: &str = "kubelet.service";

/// Stages it.
pub fn stage<S: Sys>(cx: &Context<S>, plan: &KubeletPlan) -> Result<Done, Failure> {
    let tried = format!("stage the kubelet {}", plan.program);
    let program = Path::new(paths::ROOT).join(plan.program.trim_start_matches('/'));
    match cx.sys.inspect(&program) {
        Ok(Some(_)) => {}
        Ok(None) => {
            return Err(Failure::new(Code::NodeWrite, tried, format!("the image has no {}", plan.program))
                .with_fix("Put a kubelet into the image, or name it with kubelet.program."));
        }
        Err(error) => return Err(Failure::from_sys(Code::NodeWrite, tried, &error)),
    }
    write(cx, plan).map_err(|error| Failure::from_sys(Code::NodeWrite, tried, &error))?;
    Ok(Done::with(format!("{UNIT} is enabled")))
}

fn write<S: Sys>(cx: &Context<S>, plan: &KubeletPlan) -> Result<(), SysError> {
    let units = Path::new(paths::ROOT).join("etc/systemd/system");
    cx.sys.write(&units.join(UNIT), unit(plan).as_bytes(), 0o644)?;
    let link = units.join("multi-user.target.wants").join(UNIT);
    cx.sys.symlink(&Path::new("..").join(UNIT), &link)
}

/// systemd.unit(5), systemd.service(5).
fn unit(plan: &KubeletPlan) -> String {
    let mut command = quote(&plan.program);
    for arg in &plan.args {
        command.push(' ');
        command.push_str(&quote(arg));
    }
    format!(
        "# Written by Dayfly at boot; changes are gone at the next one.\n\
         [Unit]\n\
         Description=Kubernetes node agent\n\
         Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/\n\
         Wants=network-online.target\n\
         After=network-online.target containerd.service crio.service\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         ExecStart={command}\n\
         Restart=always\n\
         RestartSec=10\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

/// systemd.service(5), "Command lines": what is special is quoted, `%` and `$` are doubled.
fn quote(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let plain = escaped == text && !text.contains(|c: char| c.is_whitespace() || c == '\'' || c == ';');
    if plain { escaped } else { format!("\"{escaped}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_reach_the_kubelet_as_they_are() {
        for (text, quoted) in [
            ("--v=2", "--v=2"),
            ("--node-labels=a b", "\"--node-labels=a b\""),
            ("100%", "\"100%%\""),
            ("$HOME", "\"$$HOME\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
        ] {
            assert_eq!(quote(text), quoted);
        }
        let plan = KubeletPlan { program: "/usr/bin/kubelet".to_owned(), args: vec!["--v=2".to_owned()] };
        assert!(unit(&plan).contains("\nExecStart=/usr/bin/kubelet --v=2\n"));
    }
}
