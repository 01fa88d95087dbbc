//! Values for files, users and sysctls.

use super::{number, pattern, values};
use crate::Secret;

values! {
    /// The mode of a file.
    Mode(u32) = "octal digits", pattern("^0[0-7]{3}$"), mode, |mode| format!("{mode:04o}");
    /// A line of authorized_keys.
    PublicKey(String) = "public key",
        pattern(r"^(?![\s\S]*PRIVATE KEY)[\s\S]*(ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)\S*\s+AAAA"),
        public_key, Clone::clone;
    /// The hash of a password.
    PasswordHash(Secret, secret) = "hash", pattern(r"^\s*([!*]|[$_][!-~]{8,})\s*$"), hash, ToString::to_string;
    /// The value of a sysctl.
    OneLine(String) = "one line, or a number", number(i64::MIN, i64::MAX, r"^\s*\S[^\n\r]*\s*$"), one_line, Clone::clone;
}

/// A mode without setuid, setgid and sticky.
fn mode(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix('0').filter(|digits| digits.len() == 3);
    digits.and_then(|digits| u32::from_str_radix(digits, 8).ok()).ok_or_else(|| {
        format!("\"{text}\" is not a mode: four octal digits in quotes are expected, like \"0640\"")
    })
}

/// The name or number of a user or group. The limits are those of shadow-utils (useradd(8)) and systemd.
pub(crate) fn account(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= 32
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-$".contains(&b));
    if fits { Ok(text.to_owned()) } else { Err(format!("{text:?} is not the name of a user or group")) }
}

/// A line of authorized_keys (sshd(8)): options, the key's type, the key, a comment.
fn public_key(text: &str) -> Result<String, String> {
    let refuse =
        |what: &str| Err(format!("it {what}; a public key is one line, like \"ssh-ed25519 AAAA… name\""));
    if text.contains("PRIVATE KEY") {
        return refuse("is a private key, which must not be copied to the node");
    }
    let line = text.trim();
    if line.contains(char::is_control) {
        return refuse("has more than one line");
    }
    let mut words = line.split_whitespace();
    let is_type = |word: &str| {
        ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|prefix| word.starts_with(prefix))
    };
    let found = words.by_ref().any(is_type);
    // Every key blob starts with the length of its type's name, which is below 256.
    match (found, words.next()) {
        (true, Some(key)) if key.starts_with("AAAA") => Ok(line.to_owned()),
        _ => refuse("is none"),
    }
}

/// A field of shadow(5), which ends at a colon.
fn hash(text: &str) -> Result<Secret, String> {
    let text = text.trim();
    let is_locked = text == "!" || text == "*";
    let is_hash = text.len() > 8
        && text.starts_with(['$', '_'])
        && text.bytes().all(|b| b.is_ascii_graphic() && !b":!*".contains(&b));
    if is_locked || is_hash {
        return Ok(Secret::new(text));
    }
    Err("it is not a password hash as `openssl passwd -6` prints it".to_owned())
}

fn one_line(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.contains(|c: char| c.is_control() && c != '\t') {
        return Err("a single line of text is expected".to_owned());
    }
    Ok(text.to_owned())
}
