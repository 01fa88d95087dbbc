//! A URL with the variables `${mac}`, `${uuid}`, `${serial}` and `${hostname}`.

use std::fmt;
use std::str::FromStr;

use dayfly_formats::mac::Mac;

use super::url::url_pattern;
use super::{Url, nearest, own_values, pattern};
use crate::network::Server;

/// The variables, as they are documented.
pub const VARIABLES: [(&str, &str); 6] = [
    ("mac", "the MAC address of the interface that the network came up on, `52:54:00:12:34:56`"),
    ("mac:hexhyp", "the same with hyphens, `52-54-00-12-34-56`"),
    ("mac:hexraw", "the same without separators, `525400123456`"),
    ("uuid", "the system's UUID in SMBIOS, in lower case"),
    ("serial", "the system's serial number in SMBIOS"),
    ("hostname", "the host name: from the settings, else from the network"),
];

/// The values of the variables, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// `${mac}` and its forms.
    pub mac: Option<Mac>,
    /// `${uuid}`.
    pub uuid: Option<String>,
    /// `${serial}`.
    pub serial: Option<String>,
    /// `${hostname}`.
    pub hostname: Option<String>,
}

impl Variables {
    fn value(&self, name: &str) -> Option<String> {
        match name {
            "mac" => self.mac.map(|mac| mac.to_string()),
            "mac:hexhyp" => self.mac.map(|mac| mac.to_string().replace(':', "-")),
            "mac:hexraw" => self.mac.map(|mac| mac.to_string().replace(':', "")),
            "uuid" => self.uuid.clone(),
            "serial" => self.serial.clone(),
            "hostname" => self.hostname.clone(),
            _ => None,
        }
    }
}

/// A URL with variables in its path or query. All of them exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate(String);

impl UrlTemplate {
    /// Replaces the variables that are known. The others stay unchanged.
    pub fn fill(&self, variables: &Variables) -> Self {
        let put = |part| match part {
            Part::Text(plain) => plain.to_owned(),
            Part::Variable(name) => {
                let value = variables.value(name).and_then(|value| encode(&value).ok());
                value.unwrap_or_else(|| format!("${{{name}}}"))
            }
        };
        Self(parts(&self.0).into_iter().map(put).collect())
    }

    /// The URL with all variables replaced, or the reason why that is not possible.
    pub fn expand(&self, variables: &Variables) -> Result<Url, String> {
        let put = |part| match part {
            Part::Text(plain) => Ok(plain.to_owned()),
            Part::Variable(name) => match variables.value(name) {
                Some(value) => encode(&value).map_err(|wrong| format!("${{{name}}} {wrong}")),
                None => Err(format!("this machine has no value for ${{{name}}}")),
            },
        };
        parts(&self.0).into_iter().map(put).collect::<Result<String, String>>()?.parse()
    }

    /// As [`Url::note`].
    pub fn note(&self) -> Option<String> {
        let blank = self.0.contains(' ');
        blank.then(|| format!("The URL {self} contains spaces; they are sent as %20."))
    }

    /// Its server, which has no variables.
    pub fn server(&self) -> Server {
        super::url::server(&self.0)
    }

    /// Whether it is fetched over TLS.
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl FromStr for UrlTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let server = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if server.contains("${") {
            return Err(format!(
                "\"{text}\" has a variable in the server's name or port; variables are only allowed after that"
            ));
        }
        let mut plain = String::new();
        for part in parts(text) {
            match part {
                Part::Text(words) if words.contains("${") => {
                    return Err(format!("\"{text}\" has a \"${{\" without a closing \"}}\""));
                }
                Part::Text(words) => plain.push_str(words),
                Part::Variable(name) => {
                    let names = VARIABLES.map(|(name, _)| name);
                    if !names.contains(&name) {
                        let hint = match nearest(name, names.into_iter()) {
                            Some(meant) => format!("did you mean ${{{meant}}}?"),
                            None => format!("${{{}}} are supported", names.join("}, ${")),
                        };
                        return Err(format!(
                            "\"{text}\" has the variable ${{{name}}}, which does not exist; {hint}"
                        ));
                    }
                    plain.push('x');
                }
            }
        }
        plain.parse::<Url>()?;
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        Ok(Self(format!("{}://{rest}", scheme.to_ascii_lowercase())))
    }
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

own_values! {
    UrlTemplate = "URL with variables", pattern(url_pattern!(
        r"([/?#]([^\s$\u0000-\u0020\u007f-\u009f]| |\$(?!\{)|\$\{(mac|mac:hexhyp|mac:hexraw|uuid|serial|hostname)\})*)?$"
    ));
}

enum Part<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// Splits a text at its variables. A `${` without an end belongs to the last part.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        parts.push(Part::Text(plain));
        parts.push(Part::Variable(name));
        rest = after;
    }
    parts.push(Part::Text(rest));
    parts
}

/// Encodes a value for a path or query: all characters except unreserved ones and `:` become `%XX` (RFC 3986 §2.3,
/// §3.3), so that a value cannot change the structure of the URL.
fn encode(value: &str) -> Result<String, String> {
    if value.is_empty() || value.bytes().all(|byte| byte == b'.') {
        return Err(format!("is \"{value}\", which would change the path"));
    }
    let put = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    Ok(value.bytes().map(put).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        Variables {
            mac: Some(Mac([0x52, 0x54, 0, 0x12, 0x34, 0xab])),
            uuid: Some("4c4c4544-0051-4410-8052-b4c04f4e4d32".to_owned()),
            serial: Some("SN 7/9?&\u{fc}%".to_owned()),
            hostname: Some("worker7".to_owned()),
        }
    }

    #[test]
    fn variables_are_put_in() {
        for (text, expected) in [
            ("http://boot/n.toml", "http://boot/n.toml"),
            ("http://boot/${mac}", "http://boot/52:54:00:12:34:ab"),
            ("http://boot/01-${mac:hexhyp}.toml", "http://boot/01-52-54-00-12-34-ab.toml"),
            ("http://boot/${mac:hexraw}", "http://boot/5254001234ab"),
            (
                "https://boot:8443/${uuid}/${hostname}",
                "https://boot:8443/4c4c4544-0051-4410-8052-b4c04f4e4d32/worker7",
            ),
            (
                "http://boot/?s=${serial}&m=${mac}",
                "http://boot/?s=SN%207%2F9%3F%26%C3%BC%25&m=52:54:00:12:34:ab",
            ),
            ("http://boot/$x/}{", "http://boot/$x/}{"),
        ] {
            let template: UrlTemplate = text.parse().unwrap();
            assert_eq!(template.expand(&variables()).unwrap().as_str(), expected, "{text}");
            assert_eq!(template.fill(&variables()).to_string(), expected, "{text}");
            assert_eq!(template.to_string(), text);
        }
    }

    #[test]
    fn what_is_not_known_stays_or_is_said() {
        let template: UrlTemplate = "https://boot/${uuid}/${mac}".parse().unwrap();
        let known = Variables { uuid: Some("u".to_owned()), ..Variables::default() };
        assert_eq!(template.fill(&known).to_string(), "https://boot/u/${mac}");
        assert_eq!(template.expand(&known).unwrap_err(), "this machine has no value for ${mac}");
        assert!(template.is_secure());
        for value in ["", ".", ".."] {
            let odd = Variables { uuid: Some(value.to_owned()), ..Variables::default() };
            assert_eq!(
                template.expand(&odd).unwrap_err(),
                format!("${{uuid}} is \"{value}\", which would change the path")
            );
            assert_eq!(template.fill(&odd), template);
        }
    }

    #[test]
    fn bad_templates_are_refused() {
        for (text, error) in [
            ("http://boot/${mca}", "has the variable ${mca}, which does not exist; did you mean ${mac}?"),
            (
                "http://boot/${net0/mac}",
                "${mac}, ${mac:hexhyp}, ${mac:hexraw}, ${uuid}, ${serial}, ${hostname} are supported",
            ),
            ("http://boot/${}", "has the variable ${}"),
            ("http://boot/${mac", "has a \"${\" without a closing \"}\""),
            ("http://${hostname}/x", "has a variable in the server's name or port"),
            ("http://boot:${serial}/x", "has a variable in the server's name or port"),
            ("ftp://boot/${mac}", "only http and https can be fetched"),
            ("http://u:p@boot/${mac}", "a URL with a user name or password is refused"),
            ("${mac}", "has a variable in the server's name or port"),
        ] {
            let found = text.parse::<UrlTemplate>().unwrap_err();
            assert!(found.contains(error), "{text}: {found}");
        }
    }
}
