//! The kernel's messages about devices: netlink uevents and `/sys/**/uevent` files.
//!
//! Source: lib/kobject_uevent.c and `struct kobj_uevent_env` in the kernel. The format is not documented elsewhere.

/// One message: a device and its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uevent {
    /// `add`, `remove`, `change`, `bind` …
    pub action: String,
    /// The device's directory below /sys, `/devices/pci0000:00/…`.
    pub devpath: String,
    /// `net`, `block`, `pci` …; empty if the device has none.
    pub subsystem: String,
    /// All `KEY=value` pairs in the kernel's order, including ACTION, DEVPATH and SUBSYSTEM.
    pub fields: Vec<(String, String)>,
}

impl Uevent {
    /// The value of a field: `MODALIAS`, `DEVNAME`, `INTERFACE`, `SEQNUM` …
    pub fn get(&self, key: &str) -> Option<&str> {
        get(&self.fields, key)
    }

    /// The modalias, for the lookup of modules.
    pub fn modalias(&self) -> Option<&str> {
        self.get("MODALIAS")
    }
}

/// Parses a datagram of the NETLINK_KOBJECT_UEVENT socket: `action@devpath`, then `KEY=value`, each terminated by a
/// NUL.
///
/// `None` for udev's own messages (they start with `libudev`), for messages without an action or a device, and if the
/// fields contradict the header. Invalid UTF-8 in values is replaced; this does not affect the kernel's own values.
pub fn parse(datagram: &[u8]) -> Option<Uevent> {
    let mut records = datagram.split(|b| *b == 0).filter(|record| !record.is_empty());
    let head = std::str::from_utf8(records.next()?).ok()?;
    if head.starts_with("libudev") {
        return None;
    }
    let (action, devpath) = head.split_once('@')?;
    let fields: Vec<(String, String)> =
        records.filter_map(|record| pair(&String::from_utf8_lossy(record))).collect();
    let agrees = |key, value| get(&fields, key).is_none_or(|found| found == value);
    if action.is_empty()
        || !devpath.starts_with('/')
        || !agrees("ACTION", action)
        || !agrees("DEVPATH", devpath)
    {
        return None;
    }
    Some(Uevent {
        action: action.to_owned(),
        devpath: devpath.to_owned(),
        subsystem: get(&fields, "SUBSYSTEM").unwrap_or_default().to_owned(),
        fields,
    })
}

/// Parses the text of a `/sys/**/uevent` file: one `KEY=value` per line. Other lines are ignored.
pub fn parse_file(text: &str) -> Vec<(String, String)> {
    text.lines().filter_map(pair).collect()
}

fn pair(record: &str) -> Option<(String, String)> {
    let (key, value) = record.split_once('=').filter(|(key, _)| !key.is_empty())?;
    Some((key.to_owned(), value.to_owned()))
}

fn get<'a>(fields: &'a [(String, String)], key: &str) -> Option<&'a str> {
    fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET: &[u8] = b"add@/devices/pci0000:00/0000:00:03.0/virtio0/net/eth0\0ACTION=add\0\
        DEVPATH=/devices/pci0000:00/0000:00:03.0/virtio0/net/eth0\0SUBSYSTEM=net\0INTERFACE=eth0\0IFINDEX=2\0SEQNUM=1234\0";

    #[test]
    fn a_kernel_message_is_read() {
        let event = parse(NET).expect("a message of the kernel");
        assert_eq!(event.action, "add");
        assert_eq!(event.devpath, "/devices/pci0000:00/0000:00:03.0/virtio0/net/eth0");
        assert_eq!(event.subsystem, "net");
        assert_eq!(
            (event.get("INTERFACE"), event.get("IFINDEX"), event.modalias()),
            (Some("eth0"), Some("2"), None)
        );
        assert_eq!(event.fields.len(), 6);

        let device = parse(b"add@/devices/x\0MODALIAS=virtio:d00000001v00001AF4\0EMPTY=\0A=b=c\0")
            .expect("well formed");
        assert_eq!(device.modalias(), Some("virtio:d00000001v00001AF4"));
        assert_eq!(
            (device.get("EMPTY"), device.get("A"), device.subsystem.as_str()),
            (Some(""), Some("b=c"), "")
        );
    }

    #[test]
    fn what_is_no_kernel_message_is_none() {
        let table: &[&[u8]] = &[
            b"",
            b"\0\0\0",
            b"libudev\0\xfe\xed\xca\xfe",
            b"libudev@/devices/x\0A=b\0",
            b"add",
            b"add@\0",
            b"@/devices/x\0",
            b"add@devices/x\0",
            b"\xff@/devices/x\0",
            b"add@/devices/x\0ACTION=remove\0",
            b"add@/devices/x\0DEVPATH=/devices/y\0",
        ];
        for datagram in table {
            assert_eq!(parse(datagram), None, "{}", String::from_utf8_lossy(datagram));
        }
        for len in 0..NET.len() {
            // Cut anywhere: at most a shorter message, never a crash.
            let _shorter = parse(&NET[..len]);
        }
    }

    #[test]
    fn files_of_sysfs_are_read() {
        let fields =
            parse_file("DRIVER=virtio-pci\nPCI_CLASS=20000\nMODALIAS=pci:v00001AF4d00001000\n\nodd\n=x\n");
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            pairs,
            [("DRIVER", "virtio-pci"), ("PCI_CLASS", "20000"), ("MODALIAS", "pci:v00001AF4d00001000")]
        );
        assert_eq!(parse_file(""), []);
    }
}
