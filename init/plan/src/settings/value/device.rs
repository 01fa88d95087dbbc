//! Disks and partitions.

use std::fmt;
use std::str::FromStr;

use super::{own_values, pattern, values};

/// A reference to a disk or partition.
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
            // udev's symbolic links. They do not exist in an initramfs without udev, so they are translated.
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

/// Decodes udev's escapes, `\x20` for a space. There is no other notation for a space on the command line that all
/// programs understand.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        let code = after.get(..2).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        bytes.extend_from_slice(before.as_bytes());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            // A label cannot contain NUL.
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

macro_rules! device {
    ($($more:literal)?) => {
        concat!(
            r"^(/dev(/(?!\.{1,2}(/|$))[^/\s]+)+|(LABEL|CDLABEL|UUID|PARTLABEL|PARTUUID)=[\s\S]+",
            $("|", $more,)?
            ")$"
        )
    };
}

own_values! { DeviceRef = "device", pattern(device!()); }

values! {
    /// A disk, or `none`.
    DeviceOrNone(Option<DeviceRef>) = "device or none", pattern(device!("none")),
        |text| if text == "none" { Ok(None) } else { text.parse().map(Some) },
        |device| device.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
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
            // These are not escapes and stay unchanged.
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
