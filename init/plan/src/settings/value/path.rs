//! Paths.

use super::{Form, pattern, values};

const BELOW: Form = pattern(r"^/*(?!\.{1,2}(/|$))[^/]+(/(?!\.{1,2}(/|$))[^/]+)*/*$");

values! {
    /// An absolute path inside the OS.
    Path(String) = "path", pattern(r"^(/(?!\.{1,2}(/|$))[^/\n\u0000]+)+$"), absolute, Clone::clone;
    /// A path below the top directory of a disk.
    BelowDisk(String) = "path on the disk", BELOW, relative, Clone::clone;
    /// As [`BelowDisk`], for a file.
    FileName(String) = "file name", BELOW, relative, Clone::clone;
    /// A path below the top directory of a repository.
    BelowRepository(String) = "path in the repository", BELOW, relative, Clone::clone;
}

fn absolute(text: &str) -> Result<String, String> {
    let normal = text.starts_with('/')
        && text.len() > 1
        && !text.contains(['\0', '\n'])
        && text.split('/').skip(1).all(|part| !part.is_empty() && part != "." && part != "..");
    if normal {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is not an absolute path without . and .."))
    }
}

fn relative(text: &str) -> Result<String, String> {
    let text = text.trim_matches('/');
    let normal =
        !text.is_empty() && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if normal {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is not a path below the top directory"))
    }
}
