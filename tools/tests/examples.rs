//! The settings files of docs/examples, checked by the commands in their comments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn examples_do_what_their_comments_say() {
    let folder = root().join("docs/examples");
    let page = fs::read_to_string(folder.join("README.md")).expect("the page");
    let dayfly = Path::new(env!("CARGO_BIN_EXE_dayfly"));
    let path = format!(
        "{}:{}",
        dayfly.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut files = 0;
    for entry in fs::read_dir(&folder).expect("the folder") {
        let file = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        if file == "README.md" {
            continue;
        }
        files += 1;
        assert!(page.contains(&format!("]({file})")), "docs/examples/README.md does not name {file}");
        let text = fs::read_to_string(folder.join(&file)).expect("the file");
        let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#   dayfly ")).collect();
        let explains: Vec<&&str> =
            commands.iter().filter(|command| command.starts_with("explain ")).collect();
        assert!(!explains.is_empty(), "{file} names no dayfly explain");
        for command in explains {
            let command = format!("dayfly {command}");
            assert!(command.contains(&format!("docs/examples/{file}")), "{file}: {command}");
            let output = Command::new("bash")
                .args(["-euc", &command])
                .current_dir(root())
                .env("PATH", &path)
                .output()
                .expect("bash");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{command}: {said}");
            let plan = String::from_utf8_lossy(&output.stdout);
            assert!(plan.contains("exec the OS's init"), "{command}: {plan}");
        }
    }
    assert!(files >= 8, "only {files} examples were found");
}
