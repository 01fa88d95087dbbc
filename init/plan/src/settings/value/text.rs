//! Texts for the node and the OS.

use super::{Form, Value, pattern, values};
use crate::Secret;

values! {
    /// Any text.
    Text(String) = "text", Form::Text, |text| Ok(text.to_owned()), |text| size(text);
    /// An argument of a program.
    Argument(String) = "text", Form::Text, argument, Clone::clone;
    /// A vendor class of DHCP (RFC 2132 9.13).
    VendorClass(String) = "text", pattern("^[ -~]{1,255}$"), vendor_class, Clone::clone;
    /// An ssh private key.
    PrivateKey(Secret, secret) = "private key", Form::Text, |text| Ok(Secret::new(text)), ToString::to_string;
    /// The keys of ssh servers, sshd(8).
    KnownHosts(String) = "lines of known_hosts", Form::Text, |text| Ok(text.to_owned()), |text| size(text);
}

/// The name of a kernel module, or several separated by commas.
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

/// Shows a text, which may be long, by its size.
pub(crate) fn size(text: &str) -> String {
    format!("{} bytes", text.len())
}

fn vendor_class(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 255 || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(format!("{text:?} is not a text of 1 to 255 printable ASCII characters"));
    }
    Ok(text.to_owned())
}

pub(super) fn argument(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) || text.is_empty() {
        return Err(format!("{text:?} is empty or contains a control character"));
    }
    Ok(text.to_owned())
}
