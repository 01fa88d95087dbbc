//! Texts of the node and the OS.

use super::{Form, Value, pattern, values};
use crate::Secret;

values! {
    /// Any text.
    Text(String) = "text", Form::Text, |text| Ok(text.to_owned()), |text| size(text);
    /// An argument of a program.
    Argument(String) = "text", Form::Text, argument, Clone::clone;
    /// A private key of ssh.
    PrivateKey(Secret, secret) = "private key", Form::Text, |text| Ok(Secret::new(text)), ToString::to_string;
    /// The keys of ssh servers, sshd(8).
    KnownHosts(String) = "lines of known_hosts", Form::Text, |text| Ok(text.to_owned()), |text| size(text);
}

/// A name of a kernel module, or several with commas.
pub struct ModuleName;

impl Value for ModuleName {
    type Kept = String;
    const KIND: &'static str = "module name";
    const FORM: Form = pattern("^[A-Za-z0-9_-]{1,55}(,[A-Za-z0-9_-]{1,55})*$");
    const SEPARATOR: Option<char> = Some(',');

    fn read(text: &str) -> Result<String, String> {
        let fits = !text.is_empty()
            && text.len() <= 55
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if fits { Ok(text.replace('-', "_")) } else { Err(format!("\"{text}\" is not the name of a module")) }
    }

    fn show(kept: &String) -> String {
        kept.clone()
    }
}

/// A text may be long and have many lines: how much it is shows that it has arrived.
pub(crate) fn size(text: &str) -> String {
    format!("{} bytes", text.len())
}

pub(super) fn argument(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) || text.is_empty() {
        return Err(format!("{text:?} is empty or has a control character"));
    }
    Ok(text.to_owned())
}
