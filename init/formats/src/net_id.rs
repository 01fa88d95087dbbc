//! The names that systemd gives to network interfaces (systemd.net-naming-scheme(7), the schemes of versions 252 to
//! 257), computed from sysfs: `eno1`, `ens3`, `enp0s20f0u1`, `enx525400123456`, `end0`, `enX0`.
//!
//! The `NamePolicy=` of the OS decides which of them an interface gets. [`Names::all`] has them in the order of the
//! default policy.

use std::fmt::Write;

/// The longest name that the kernel accepts (`IFNAMSIZ` without the final NUL).
const LONGEST: usize = 15;

/// Reads a file of sysfs by its path. `None` if it does not exist.
pub type Read<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// The names of one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// `ID_NET_NAME_ONBOARD`: the firmware's number of an on-board device.
    pub onboard: Option<String>,
    /// `ID_NET_NAME_SLOT`: its slot, as reported by the hotplug driver.
    pub slot: Option<String>,
    /// The same with the slot number of the firmware, which scheme v257 (Debian 13) uses first.
    pub firmware_slot: Option<String>,
    /// `ID_NET_NAME_PATH`: its location on the bus.
    pub path: Option<String>,
    /// `ID_NET_NAME_MAC`: its permanent MAC address.
    pub mac: Option<String>,
    /// It is a USB device. Debian prefers the name by MAC address for these.
    pub is_usb: bool,
}

impl Names {
    /// All valid names, the likeliest first.
    pub fn all(&self) -> Vec<&str> {
        let [first, last] = if self.is_usb { [&self.mac, &None] } else { [&None, &self.mac] };
        let all = [first, &self.onboard, &self.firmware_slot, &self.slot, &self.path, last];
        all.into_iter().flatten().map(String::as_str).filter(|name| is_name(name)).collect()
    }
}

/// Whether systemd uses this name for an interface (`ifname_valid()` in its sources). A name contains the port name
/// from the driver, so it can be invalid. Then systemd uses the next name.
fn is_name(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b':' | b'/' | b'%'))
}

/// A PCI function.
struct Pci {
    domain: u32,
    bus: u32,
    slot: u32,
    function: u32,
}

impl Pci {
    /// `0000:00:1f.6`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split([':', '.']);
        let mut number = || parts.next().and_then(|part| u32::from_str_radix(part, 16).ok());
        let found = Self { domain: number()?, bus: number()?, slot: number()?, function: number()? };
        (parts.next().is_none() && text.matches(':').count() == 2).then_some(found)
    }
}

/// The names of the interface at this path of sysfs (`/sys/devices/…/net/eth0`). `slots` are the names and addresses of
/// `/sys/bus/pci/slots`. Software interfaces and interfaces other than Ethernet have none.
pub fn names(device: &str, read: Read<'_>, slots: &[(String, String)]) -> Names {
    let text = |path: String| Some(String::from_utf8_lossy(&read(&path)?).trim().to_owned());
    let attribute = |name: &str| text(format!("{device}/{name}"));
    // Only Ethernet, and not an interface on top of another one (a VLAN).
    if attribute("type").as_deref() != Some("1") || attribute("iflink") != attribute("ifindex") {
        return Names::default();
    }
    let kind = attribute("uevent").unwrap_or_default();
    let prefix = match kind.lines().find_map(|line| line.strip_prefix("DEVTYPE=")) {
        Some("wlan") => "wl",
        Some("wwan") => "ww",
        _ => "en",
    };
    let mut names = Names { mac: mac(prefix, &attribute), ..Names::default() };
    let Some((above, _)) = device.rsplit_once("/net/") else { return names };
    // A virtio device has the location of its PCI function.
    let above = match above.rsplit_once('/') {
        Some((pci, last)) if is_numbered(last, "virtio") => pci,
        _ => above,
    };
    let last = above.rsplit('/').next().unwrap_or_default();
    if let Some(number) = last.strip_prefix("vif-").filter(|number| number.parse::<u16>().is_ok()) {
        names.slot = Some(format!("{prefix}X{number}"));
        return names;
    }
    let usb = usb(last);
    names.is_usb = usb.is_some();
    // The nearest PCI function above: the device itself, or its controller.
    let Some((function, pci)) = functions(above).next() else {
        names.onboard = of_device_tree(prefix, above, &text);
        return names;
    };
    let is_card = function == above;
    if !is_card && usb.is_none() {
        return names;
    }
    let tail = usb.unwrap_or_else(|| port(&attribute));
    let domain = if pci.domain > 0 { format!("P{}", pci.domain) } else { String::new() };
    let header = read(&format!("{function}/config")).and_then(|config| config.get(0x0e).copied());
    let number = if is_one(&text, function, "ari_enabled") {
        // One device with up to 256 functions.
        pci.slot.saturating_mul(8).saturating_add(pci.function)
    } else {
        pci.function
    };
    let header_says = header.is_some_and(|header| header & 0x80 != 0);
    let of_many = number > 0 || header_says;
    let function_part = if of_many { format!("f{number}") } else { String::new() };
    names.path = Some(format!("{prefix}{domain}p{}s{}{function_part}{tail}", pci.bus, pci.slot));
    let by_slot = |number| format!("{prefix}{domain}s{number}{function_part}{tail}");
    let by_firmware = |function: &str| text(format!("{function}/firmware_node/sun"))?.parse().ok();
    let by_driver = |function: &str| {
        let name = function.rsplit('/').next()?;
        let mut there =
            slots.iter().filter(|(_, address)| !address.is_empty() && name.starts_with(&**address));
        there.find_map(|(number, _)| number.parse().ok())
    };
    names.slot = slot(function, header_says, &text, &by_driver).map(by_slot);
    names.firmware_slot =
        slot(function, header_says, &text, &|function| by_firmware(function).or_else(|| by_driver(function)))
            .map(by_slot);
    names.firmware_slot = names.firmware_slot.filter(|name| Some(name) != names.slot.as_ref());
    if is_card {
        let number = ["acpi_index", "index"].into_iter().find_map(|name| text(format!("{function}/{name}")));
        let number = number.and_then(|number| number.parse::<u16>().ok()).filter(|number| *number > 0);
        names.onboard = number.map(|number| format!("{prefix}o{number}{tail}"));
    }
    names
}

/// The PCI functions on the path upwards, the nearest first, with their directories.
fn functions(folder: &str) -> impl Iterator<Item = (&str, Pci)> {
    std::iter::successors(Some(folder), |path| path.rsplit_once('/').map(|(above, _)| above))
        .filter_map(|path| Some((path, Pci::parse(path.rsplit('/').next()?)?)))
}

fn is_numbered(text: &str, word: &str) -> bool {
    text.strip_prefix(word)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn is_one(text: &dyn Fn(String) -> Option<String>, folder: &str, name: &str) -> bool {
    text(format!("{folder}/{name}")).as_deref() == Some("1")
}

/// The slot number of the function or of a device above it. If a bridge is in the slot, all devices behind it would get
/// the same number, so none gets it.
fn slot(
    function: &str,
    of_many: bool,
    text: &dyn Fn(String) -> Option<String>,
    number: &dyn Fn(&str) -> Option<u32>,
) -> Option<u32> {
    for (path, _) in functions(function) {
        if let Some(number) = number(path).filter(|number| *number > 0) {
            let class = text(format!("{path}/class")).unwrap_or_default();
            return (of_many || !class.starts_with("0x0604")).then_some(number);
        }
    }
    None
}

/// The port of a function with several ports.
fn port(attribute: &dyn Fn(&str) -> Option<String>) -> String {
    if let Some(name) = attribute("phys_port_name").filter(|name| !name.is_empty()) {
        return format!("n{name}");
    }
    match attribute("dev_port").and_then(|number| number.parse::<u32>().ok()) {
        Some(number) if number > 0 => format!("d{number}"),
        _ => String::new(),
    }
}

/// The location of a USB interface, `1-2.3:1.0`: ports, configuration unless it is 1, interface unless it is 0.
fn usb(name: &str) -> Option<String> {
    let (ports, rest) = name.split_once('-')?.1.split_once(':')?;
    let (configuration, interface) = rest.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !ports.split('.').all(is_number) || !is_number(configuration) || !is_number(interface) {
        return None;
    }
    let mut tail = format!("u{}", ports.replace('.', "u"));
    for (letter, number, usual) in [('c', configuration, "1"), ('i', interface, "0")] {
        if number != usual {
            // Writing to a String cannot fail.
            let _ = write!(tail, "{letter}{number}");
        }
    }
    Some(tail)
}

/// Its number in the device tree, for example `ethernet0` in the aliases.
fn of_device_tree(prefix: &str, folder: &str, text: &dyn Fn(String) -> Option<String>) -> Option<String> {
    let uevent = text(format!("{folder}/uevent"))?;
    let number = uevent.lines().find_map(|line| line.strip_prefix("OF_ALIAS_")?.split_once("=ethernet"))?.1;
    number.parse::<u16>().ok().map(|number| format!("{prefix}d{number}"))
}

/// The name by MAC address, if the address is permanent and not generated.
fn mac(prefix: &str, attribute: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if attribute("addr_assign_type").as_deref() != Some("0") {
        return None;
    }
    let mac: crate::mac::Mac = attribute("address")?.parse().ok()?;
    (mac.0 != [0; 6]).then(|| format!("{prefix}x{}", mac.to_string().replace(':', "")))
}

#[cfg(test)]
mod tests;
