//! Values that cannot hold anything invalid.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use dayfly_wire::ip::IpArg;

/// An `http://` or `https://` URL with a host. The rest is the server's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    had_blanks: bool,
}

impl Url {
    /// As it was written, but for blanks, which are `%20`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is to be said of it: a server knows no URL with blanks.
    pub fn note(&self) -> Option<String> {
        self.had_blanks.then(|| format!("The URL was written with blanks; it is fetched as {self}."))
    }
}

/// Host and port parts are checked by hand: the guest's HTTP library does the rest when it connects.
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
                "\"{}\" has the character {odd:?}, which a URL cannot have",
                text.escape_debug()
            ));
        }
        if authority.contains('@') {
            return Err("a URL with a user name or password is refused: everybody can read the command line"
                .to_owned());
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
            Some((v6, after)) => {
                if v6.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(format!("\"{text}\" has \"{v6}\" in brackets, which is not an IPv6 address"));
                }
                (v6, after.strip_prefix(':').or_else(|| after.is_empty().then_some("")))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        if host.is_empty() {
            return Err(format!("\"{text}\" has no host"));
        }
        match port {
            Some("") if !authority.ends_with(':') => {}
            // A parser of numbers takes a sign.
            Some(port) if !port.starts_with('+') && port.parse::<u16>().is_ok_and(|number| number > 0) => {}
            _ => return Err(format!("\"{text}\" has no port number from 1 to 65535 after the host's colon")),
        }
        // Schemes have no case (RFC 3986 §3.1), and everything that looks for one expects it in small letters.
        Ok(Url { text: format!("{scheme}://{}", rest.replace(' ', "%20")), had_blanks: rest.contains(' ') })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A SHA-256 (FIPS 180-4), 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The first 12 digits, for a table.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl FromStr for Sha256 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("\"{text}\" has the character {odd:?}, which is not a hexadecimal digit"));
        }
        if text.len() != 64 {
            return Err(format!("\"{text}\" has {} hexadecimal digits, a SHA-256 has 64", text.len()));
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
        }
        Ok(Sha256(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How a disk or partition is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceRef {
    /// `/dev/…`
    Path(String),
    /// `LABEL=`: the file system's label.
    Label(String),
    /// `UUID=`: the file system's UUID.
    Uuid(String),
    /// `PARTLABEL=`: the GPT partition's name.
    PartLabel(String),
    /// `PARTUUID=`: the GPT partition's UUID.
    PartUuid(String),
}

impl FromStr for DeviceRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("/dev/") {
            let plain = !rest.is_empty()
                && rest.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
                && !rest.contains(char::is_whitespace);
            if !plain {
                return Err(format!("\"{text}\" is not the path of a device"));
            }
            // udev's links, which an initramfs without udev does not have.
            let link = rest.strip_prefix("disk/by-").and_then(|rest| rest.split_once('/'));
            return Ok(match link {
                Some(("label", name)) => DeviceRef::Label(unescape(name)),
                Some(("uuid", name)) => DeviceRef::Uuid(unescape(name)),
                Some(("partlabel", name)) => DeviceRef::PartLabel(unescape(name)),
                Some(("partuuid", name)) => DeviceRef::PartUuid(unescape(name)),
                _ => DeviceRef::Path(text.to_owned()),
            });
        }
        let Some((tag, value)) = text.split_once('=') else {
            return Err(format!(
                "\"{text}\" is not a device: /dev/NAME, LABEL=, UUID=, PARTLABEL= or PARTUUID= is expected"
            ));
        };
        if value.is_empty() {
            return Err(format!("\"{text}\" has nothing after {tag}="));
        }
        let value = unescape(value);
        match tag {
            // dracut's CDLABEL= is a file system label too.
            "LABEL" | "CDLABEL" => Ok(DeviceRef::Label(value)),
            "UUID" => Ok(DeviceRef::Uuid(value)),
            "PARTLABEL" => Ok(DeviceRef::PartLabel(value)),
            "PARTUUID" => Ok(DeviceRef::PartUuid(value)),
            _ => Err(format!(
                "\"{text}\" starts with {tag}=, but LABEL=, UUID=, PARTLABEL= or PARTUUID= is expected"
            )),
        }
    }
}

/// Takes udev's escapes back, `\x20` for a blank: the command line has no other way to say it that all programs share.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        let code = after.get(..2).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        bytes.extend_from_slice(before.as_bytes());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            // No label has a NUL.
            Some(byte) if byte != 0 => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.extend_from_slice(b"\\x");
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

impl fmt::Display for DeviceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceRef::Path(path) => f.write_str(path),
            DeviceRef::Label(label) => write!(f, "LABEL={label}"),
            DeviceRef::Uuid(uuid) => write!(f, "UUID={uuid}"),
            DeviceRef::PartLabel(label) => write!(f, "PARTLABEL={label}"),
            DeviceRef::PartUuid(uuid) => write!(f, "PARTUUID={uuid}"),
        }
    }
}

/// A host name: labels of letters, digits and `-` (RFC 1123 §2.1), at most 63 bytes, in lower case: one that a Node of
/// Kubernetes can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The name of last resort.
    pub fn localhost() -> Self {
        HostName("localhost".to_owned())
    }

    /// The name that a DHCP server, an `ip=` word or an installed OS gives, as a node can have it; the reason where it is none.
    pub fn given(text: &str) -> Result<Self, String> {
        match dayfly_wire::hostname::given(text) {
            Ok(given) => Ok(HostName(given.name)),
            Err(reason) => Err(format!("host name \"{text}\" {reason}")),
        }
    }

    /// The name in an `ip=` word, if a node can have it.
    pub fn of_ip(ip: &IpArg) -> Option<Self> {
        // What becomes of another one, the plan says.
        ip.hostname.as_deref().and_then(|name| Self::given(name).ok())
    }

    /// Whether it is what a machine without a name is called.
    pub fn is_placeholder(&self) -> bool {
        dayfly_wire::hostname::is_placeholder(&self.0)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        dayfly_wire::hostname::check(text).map_err(|reason| format!("host name \"{text}\" {reason}"))?;
        Ok(HostName(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whole seconds, 1 to a day.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('s').unwrap_or(text).parse::<u64>() {
        Ok(seconds @ 1..=86400) if !text.starts_with('+') => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("\"{text}\" is not a number of seconds from 1 to 86400")),
    }
}

/// The limit of a tmpfs, as tmpfs(5) takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So many bytes.
    Bytes(u64),
    /// Of the memory, 1 to 100.
    Percent(u8),
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_suffix('%') {
            None => parse_size(text).map(Self::Bytes),
            Some(digits) => match digits.parse() {
                Ok(percent @ 1..=100) if !digits.starts_with('+') => Ok(Self::Percent(percent)),
                _ => Err(format!("\"{text}\" is not a part of the memory: 1% to 100% are possible")),
            },
        }
    }
}

/// As the file system takes it.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Bytes(bytes) => bytes.fmt(f),
            Size::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// A size in bytes, or with K, M or G, KiB, MiB or GiB (1024 each); a fraction may have up to nine digits.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let refuse = || format!("\"{text}\" is not a size: a number with an optional K, M or G is expected");
    let body = text.strip_suffix("iB").filter(|body| body.ends_with(['K', 'M', 'G', 'k', 'm', 'g']));
    let body = body.unwrap_or(text);
    let (digits, unit): (_, u64) = match body.as_bytes().last() {
        Some(b'k' | b'K') => (body.get(..body.len() - 1), 1 << 10),
        Some(b'm' | b'M') => (body.get(..body.len() - 1), 1 << 20),
        Some(b'g' | b'G') => (body.get(..body.len() - 1), 1 << 30),
        _ => (Some(body), 1),
    };
    let digits = digits.ok_or_else(refuse)?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 9 {
        return Err(refuse());
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_| refuse());
    let scale = 10_u64.pow(u32::try_from(part.len()).unwrap_or_default());
    let fraction = number(part)?.checked_mul(unit).ok_or_else(refuse)? / scale;
    let bytes = number(whole)?.checked_mul(unit).and_then(|bytes| bytes.checked_add(fraction));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(refuse)
}

/// A boolean in dracut's grammar.
pub fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "yes" | "on" | "true" | "y" => Ok(true),
        "0" | "no" | "off" | "false" | "n" => Ok(false),
        _ => Err(format!("\"{text}\" is not one of 1, yes, on, true, 0, no, off, false")),
    }
}

/// An absolute path inside the OS.
pub fn parse_path(text: &str) -> Result<String, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_udev_names_them() {
        for (text, shown) in [
            ("/dev/vda", "/dev/vda"),
            ("/dev/disk/by-id/wwn-0x1", "/dev/disk/by-id/wwn-0x1"),
            ("/dev/disk/by-label/A\\x20B", "LABEL=A B"),
            ("/dev/disk/by-uuid/1234-ABCD", "UUID=1234-ABCD"),
            ("/dev/disk/by-partlabel/EFI\\x20System", "PARTLABEL=EFI System"),
            ("/dev/disk/by-partuuid/0bcd1234-01", "PARTUUID=0bcd1234-01"),
            ("CDLABEL=Fedora-WS\\x2d38\\x2fx", "LABEL=Fedora-WS-38/x"),
            ("LABEL=A B", "LABEL=A B"),
            // No escapes: they stay what they are.
            ("LABEL=\\x2", "LABEL=\\x2"),
            ("LABEL=a\\x+1\\x00\\xz\\", "LABEL=a\\x+1\\x00\\xz\\"),
            ("LABEL=\\xff", "LABEL=\\xff"),
            ("LABEL=\\xc3\\xa4", "LABEL=\u{e4}"),
        ] {
            assert_eq!(
                text.parse::<DeviceRef>().map(|device| device.to_string()),
                Ok(shown.to_owned()),
                "{text}"
            );
        }
    }
}
