//! URLs.

use std::fmt;
use std::str::FromStr;

use dayfly_formats::scoped::{ScopedAddr, ScopedAddrError, split_host};

use super::{own_values, pattern};
use crate::network::Server;

/// An `http://` or `https://` URL with a host. The rest is not checked: the server interprets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    had_blanks: bool,
}

impl Url {
    /// The URL as written, with spaces encoded as `%20`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its server.
    pub fn server(&self) -> Server {
        server(&self.text)
    }

    /// Whether it is fetched over TLS.
    pub fn is_secure(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// Whether it names the manifest of an image: its path ends with `.json`.
    pub fn is_manifest(&self) -> bool {
        self.file_name().strip_suffix(".json").is_some_and(|name| !name.is_empty())
    }

    /// The name of its file, without a query.
    pub fn file_name(&self) -> &str {
        let path = self.split_query().0;
        path.split_once("://").and_then(|(_, rest)| rest.rsplit_once('/')).map_or("", |(_, name)| name)
    }

    /// The URL of a file beside it, `path` below the same folder. A query is dropped.
    pub fn beside(&self, path: &str) -> Self {
        let (_, rest) = self.text.split_once("://").unwrap_or_default();
        let here = self.split_query().0;
        // A URL without a path has no slash behind its host.
        let folder = match here.rfind('/') {
            Some(slash) if rest.contains('/') => here.get(..slash).unwrap_or_default(),
            _ => here,
        };
        Self { text: format!("{folder}/{path}"), had_blanks: false }
    }

    /// The URL of the file whose name has this at the end. A query is kept.
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let (path, query) = self.split_query();
        Self { text: format!("{path}{suffix}{query}"), had_blanks: false }
    }

    /// The URL up to its path, and what follows.
    fn split_query(&self) -> (&str, &str) {
        let end = self.text.find(['?', '#']).unwrap_or(self.text.len());
        self.text.split_at_checked(end).unwrap_or((&self.text, ""))
    }

    /// A note if the URL was written with spaces, which a request cannot contain.
    pub fn note(&self) -> Option<String> {
        self.had_blanks.then(|| format!("The URL contains spaces; it is fetched as {self}."))
    }
}

/// Only host and port are checked here. The HTTP library checks the rest when it connects.
impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("\"{text}\" is not a URL: http://HOST/PATH is expected"));
        };
        let scheme = scheme.to_ascii_lowercase();
        if !["http", "https"].contains(&scheme.as_str()) {
            return Err(format!(
                "\"{text}\" has the scheme \"{scheme}\", but only http and https can be fetched"
            ));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_odd = |c: &char| c.is_control() || c.is_whitespace() && (*c != ' ' || authority.contains(' '));
        if let Some(odd) = text.chars().find(is_odd) {
            return Err(format!(
                "\"{}\" has the character {odd:?}, which is not allowed in a URL",
                text.escape_debug()
            ));
        }
        if authority.contains('@') {
            return Err("a URL with a user name or password is refused: all users can read the command line"
                .to_owned());
        }
        let (host, port) = host_and_port(authority);
        if authority.starts_with('[') && authority.contains(']') {
            check_ipv6(host)
                .map_err(|problem| format!("\"{text}\" has \"{host}\" in brackets, which {problem}"))?;
        }
        if host.is_empty() {
            return Err(format!("\"{text}\" has no host"));
        }
        match port {
            None => {}
            Some(_) if authority.matches(':').count() > 1 && !authority.starts_with('[') => {
                return Err(format!(
                    "\"{text}\" has an IPv6 address without brackets; write it like {scheme}://[2001:db8::5]/os or \
                     {scheme}://[2001:db8::5]:8080/os"
                ));
            }
            // `parse` would accept a plus sign.
            Some(port) if !port.starts_with('+') && port.parse::<u16>().is_ok_and(|number| number > 0) => {}
            _ => return Err(format!("\"{text}\" has no port number from 1 to 65535 after the host's colon")),
        }
        // Schemes are case-insensitive (RFC 3986 §3.1). All later code expects lower case.
        Ok(Url { text: format!("{scheme}://{}", rest.replace(' ', "%20")), had_blanks: rest.contains(' ') })
    }
}

/// Checks what is between the brackets of a host.
fn check_ipv6(host: &str) -> Result<(), String> {
    let (address, zone) = split_host(host);
    if address.parse::<std::net::Ipv6Addr>().is_err() {
        return Err("is not an IPv6 address".to_owned());
    }
    let scoped = zone.map_or_else(|| address.to_owned(), |zone| format!("{address}%{zone}"));
    match scoped.parse::<ScopedAddr>() {
        Ok(_) => Ok(()),
        Err(ScopedAddrError::NoInterface) => {
            Err(format!("is link-local, so its interface is needed; write it like [{address}%25eth0]"))
        }
        Err(problem) => Err(problem.to_string()),
    }
}

/// The host of an authority without its brackets, and the text of its port if something follows the host: empty if that is no port.
fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, "")) => (v6, None),
        Some((v6, after)) => (v6, Some(after.strip_prefix(':').unwrap_or_default())),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    }
}

/// The server of a valid URL.
pub(super) fn server(url: &str) -> Server {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (host, port) = host_and_port(rest.split(['/', '?', '#']).next().unwrap_or_default());
    let default = if scheme == "https" { 443 } else { 80 };
    // Only an IPv6 address has a zone.
    let (host, interface) = if host.contains(':') { split_host(host) } else { (host, None) };
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(default);
    Server { host: host.to_owned(), interface: interface.map(str::to_owned), port }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The pattern for the start of a URL. The argument is the pattern for the rest.
macro_rules! url_pattern {
    ($authority_end:literal) => {
        concat!(
            r"^[Hh][Tt][Tt][Pp][Ss]?://(?![^/?#]*\$\{)(\[[0-9A-Fa-f:.]+(%[^\s:/?#@\]]{1,17})?\]|[^\s/?#@:\u0000-\u0020\u007f-\u009f]+)(:[0-9]+)?",
            $authority_end
        )
    };
}
pub(super) use url_pattern;

own_values! { Url = "URL", pattern(url_pattern!(r"([/?#]([^\s\u0000-\u0020\u007f-\u009f]| )*)?$")); }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_beside_a_manifest_have_its_folder() {
        for (url, is_manifest, beside, signature) in [
            ("http://boot/os.json", true, "http://boot/blobs/a", "http://boot/os.json.sig"),
            ("http://boot:80/a/os.JSON", false, "http://boot:80/a/blobs/a", "http://boot:80/a/os.JSON.sig"),
            (
                "https://[2001:db8::1]/a%20b/os.json?x=1.json/2#y",
                true,
                "https://[2001:db8::1]/a%20b/blobs/a",
                "https://[2001:db8::1]/a%20b/os.json.sig?x=1.json/2#y",
            ),
            (
                "http://boot/os.squashfs?os.json",
                false,
                "http://boot/blobs/a",
                "http://boot/os.squashfs.sig?os.json",
            ),
            ("http://boot.json", false, "http://boot.json/blobs/a", "http://boot.json.sig"),
            ("http://boot", false, "http://boot/blobs/a", "http://boot.sig"),
            ("http://boot/", false, "http://boot/blobs/a", "http://boot/.sig"),
        ] {
            let read: Url = url.parse().unwrap();
            assert_eq!(read.is_manifest(), is_manifest, "{url}");
            assert_eq!(read.beside("blobs/a").as_str(), beside, "{url}");
            assert_eq!(read.with_suffix(".sig").as_str(), signature, "{url}");
        }
    }
}
