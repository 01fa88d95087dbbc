//! Firmware files for the modules of the image.

use std::fs;
use std::path::{Path, PathBuf};

use dayfly_formats::modules::matches;

/// The compressions that the kernel's firmware loader unpacks itself.
const SUFFIXES: &[&str] = &["", ".zst", ".xz"];

/// The files under `folder` that match the firmware name in a module, as (name in the image, file here).
///
/// The name may hold wildcards in its last part, as some wireless and graphics drivers have it.
pub fn find(folder: &Path, name: &str) -> Vec<(String, PathBuf)> {
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Vec::new();
    }
    if !name.contains(['*', '?', '[']) {
        let file = |suffix: &&str| {
            let name = format!("{name}{suffix}");
            let path = folder.join(&name);
            path.is_file().then_some((name, path))
        };
        return SUFFIXES.iter().find_map(file).into_iter().collect();
    }
    let (parent, pattern) = name.rsplit_once('/').unwrap_or(("", name));
    let Ok(entries) = fs::read_dir(folder.join(parent)) else { return Vec::new() };
    let mut found: Vec<(String, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(file, path)| {
            path.is_file()
                && SUFFIXES
                    .iter()
                    .filter_map(|suffix| file.strip_suffix(suffix))
                    .any(|plain| matches(pattern.as_bytes(), plain.as_bytes()))
        })
        .map(|(file, path)| (if parent.is_empty() { file } else { format!("{parent}/{file}") }, path))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_wildcards_are_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("bnx2")).expect("a folder");
        for name in ["bnx2/a-1.fw", "bnx2/a-2.fw.zst", "bnx2/b.fw.xz", "top.bin"] {
            fs::write(folder.path().join(name), name).expect("a file");
        }
        let table: &[(&str, &[&str])] = &[
            ("bnx2/a-1.fw", &["bnx2/a-1.fw"]),
            ("bnx2/a-2.fw", &["bnx2/a-2.fw.zst"]),
            ("bnx2/b.fw", &["bnx2/b.fw.xz"]),
            ("bnx2/a-*.fw", &["bnx2/a-1.fw", "bnx2/a-2.fw.zst"]),
            ("t?p.bin", &["top.bin"]),
            ("none", &[]),
            ("none/*", &[]),
            ("../top.bin", &[]),
        ];
        for (name, expected) in table {
            let found: Vec<String> = find(folder.path(), name).into_iter().map(|(name, _)| name).collect();
            assert_eq!(found, *expected, "{name}");
        }
    }
}
