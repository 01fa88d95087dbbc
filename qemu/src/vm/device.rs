//! The machine's network cards and drives, as values that become QEMU's arguments.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

/// A network card (virtio-net by default). The n-th has the QEMU id `nic<n>`, and by default the MAC address
/// 52:54:00:12:34:56 + n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    wire: Wire,
    model: String,
    mac: Option<String>,
    rom: bool,
}

/// The network of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wire {
    /// QEMU's user networking: DHCP, and the host's 127.0.0.1 is 10.0.2.2. `extra` are more options of `-netdev user`.
    User { extra: String },
    /// A network with carrier and no answers: frames go to the discard port of the host, where no program listens. (An empty hub
    /// would do, but QEMU gives it no carrier.)
    Silent,
    /// A tap device of the host, in the network namespace that QEMU runs in.
    Tap(String),
    /// A cable to the card of another machine: datagrams between these two sockets, this card's first.
    Cable(PathBuf, PathBuf),
}

impl Nic {
    /// User networking: the guest gets 10.0.2.15 by DHCP and reaches the host's 127.0.0.1 as 10.0.2.2.
    pub fn user() -> Self {
        Self {
            wire: Wire::User { extra: String::new() },
            model: "virtio-net-pci".into(),
            mac: None,
            rom: true,
        }
    }

    /// User networking with more options of `-netdev user` (`hostname=…,domainname=…,dnssearch=…,restrict=on …`).
    pub fn user_with(options: &str) -> Self {
        Self { wire: Wire::User { extra: format!(",{options}") }, ..Self::user() }
    }

    /// A card with carrier on a network without any answers.
    pub fn silent() -> Self {
        Self { wire: Wire::Silent, ..Self::user() }
    }

    /// A card on an existing tap device.
    pub fn tap(name: &str) -> Self {
        Self { wire: Wire::Tap(name.into()), ..Self::user() }
    }

    /// The two ends of a cable between two machines; its sockets are in `folder`, with this name.
    pub fn cable(folder: &Path, name: &str) -> [Self; 2] {
        let [one, other] = ["a", "b"].map(|end| folder.join(format!("{name}.{end}")));
        let end = |own: &PathBuf, far: &PathBuf| Self {
            wire: Wire::Cable(own.clone(), far.clone()),
            ..Self::user()
        };
        [end(&one, &other), end(&other, &one)]
    }

    /// The same with this MAC address: machines on one network must have different ones.
    pub fn mac(mut self, mac: &str) -> Self {
        self.mac = Some(mac.into());
        self
    }

    /// The same with another QEMU device model, such as `e1000`, or `usb-net`, which gets a USB controller of its own.
    pub fn model(mut self, model: &str) -> Self {
        model.clone_into(&mut self.model);
        self
    }

    /// The same without iPXE in a boot ROM, so that UEFI boots from it by its own PXE and HTTP; a BIOS cannot.
    pub fn without_rom(mut self) -> Self {
        self.rom = false;
        self
    }

    /// Whether a machine can boot from it.
    pub(super) fn is_bootable(&self) -> bool {
        !matches!(self.wire, Wire::Silent | Wire::Cable(..))
    }

    /// The arguments of the n-th card. With the URL of an iPXE script, the machine can boot from the card: it gets QEMU's own boot ROM for
    /// its model, which is Debian's build of iPXE, and DHCP gives it the URL. On a user network, the arguments here set this DHCP option.
    /// A silent card and one on a cable get no ROM.
    pub(super) fn arguments(&self, index: usize, script: Option<&str>) -> Vec<String> {
        let netdev = match (&self.wire, script) {
            (Wire::User { extra }, Some(script)) => {
                format!("user,id=net{index},bootfile={}{extra}", script.replace(',', ",,"))
            }
            (Wire::User { extra }, None) => format!("user,id=net{index}{extra}"),
            (Wire::Silent, _) => format!("socket,id=net{index},udp=127.0.0.1:9,localaddr=127.0.0.1:0"),
            (Wire::Cable(own, far), _) => format!(
                "dgram,id=net{index},local.type=unix,local.path={},remote.type=unix,remote.path={}",
                own.display(),
                far.display()
            ),
            (Wire::Tap(name), _) => format!("tap,id=net{index},ifname={name},script=no,downscript=no"),
        };
        let boots = script.is_some() && self.is_bootable();
        let order = if boots { format!(",bootindex={}", index + 1) } else { String::new() };
        let is_usb = self.model.starts_with("usb-");
        let rom = if is_usb || boots && self.rom { "" } else { ",romfile=" };
        let mac = self.mac.clone().unwrap_or_else(|| mac(index));
        let bus = if is_usb { format!(",bus=usb{index}.0") } else { String::new() };
        let device = format!("{},id=nic{index},netdev=net{index},mac={mac}{bus}{rom}{order}", self.model);
        let controller = is_usb.then(|| ["-device".into(), format!("qemu-xhci,id=usb{index}")]);
        let wire = ["-netdev".into(), netdev, "-device".into(), device];
        controller.into_iter().flatten().chain(wire).collect()
    }
}

/// Whether the installed QEMU has this device model.
pub fn has_model(model: &str) -> Result<bool> {
    let known = Command::new("qemu-system-x86_64")
        .args(["-device", &format!("{model},help")])
        .stderr(Stdio::null())
        .output()
        .context("cannot start qemu-system-x86_64")?;
    Ok(known.stdout.starts_with(model.as_bytes()))
}

/// The MAC address of the n-th card.
pub fn mac(index: usize) -> String {
    format!("52:54:00:12:34:{:02x}", 0x56 + index)
}

/// A virtio disk; the n-th is /dev/vda, vdb, …, has the serial number `disk<n>` and the QEMU id `disk<n>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    path: PathBuf,
    mode: Mode,
    faults: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    ReadOnly,
    ReadWrite,
    Snapshot,
}

impl Drive {
    /// A disk that the guest cannot write.
    pub fn read_only(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), mode: Mode::ReadOnly, faults: None }
    }

    /// A disk whose writes stay in the file.
    pub fn read_write(path: impl AsRef<Path>) -> Self {
        Self { mode: Mode::ReadWrite, ..Self::read_only(path) }
    }

    /// A disk whose writes are lost when the machine ends.
    pub fn snapshot(path: impl AsRef<Path>) -> Self {
        Self { mode: Mode::Snapshot, ..Self::read_only(path) }
    }

    /// Adds faults by a blkdebug configuration (qemu's docs/devel/blkdebug.txt), such as
    /// `[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "2048"\n`.
    pub fn with_faults(mut self, config: &Path) -> Self {
        self.faults = Some(config.to_owned());
        self
    }

    pub(super) fn arguments(&self, index: usize) -> Vec<String> {
        let path = self.path.to_string_lossy().replace(',', ",,");
        let file = match &self.faults {
            None => format!("file={path}"),
            Some(config) => {
                let config = config.to_string_lossy().replace(',', ",,");
                format!(
                    "file.driver=blkdebug,file.config={config},file.image.driver=file,file.image.filename={path}"
                )
            }
        };
        let mode = match self.mode {
            Mode::ReadOnly => ",readonly=on",
            Mode::ReadWrite => "",
            Mode::Snapshot => ",snapshot=on",
        };
        let drive = format!("if=none,id=disk{index},format=raw{mode},{file}");
        let device = format!("virtio-blk-pci,id=virtio-disk{index},drive=disk{index},serial=disk{index}");
        vec!["-drive".into(), drive, "-device".into(), device]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_arguments() {
        let script = Some("http://10.0.2.2:1/a,b");
        let table: [(Vec<String>, &str); 11] = [
            (
                Nic::user().arguments(0, None),
                "user,id=net0 virtio-net-pci,id=nic0,netdev=net0,mac=52:54:00:12:34:56,romfile=",
            ),
            (
                Nic::user_with("hostname=n1").model("e1000").arguments(1, None),
                "user,id=net1,hostname=n1 e1000,id=nic1,netdev=net1,mac=52:54:00:12:34:57,romfile=",
            ),
            (
                Nic::user().model("usb-net").arguments(2, None),
                "qemu-xhci,id=usb2 user,id=net2 usb-net,id=nic2,netdev=net2,mac=52:54:00:12:34:58,bus=usb2.0",
            ),
            (
                Nic::silent().arguments(1, None),
                "socket,id=net1,udp=127.0.0.1:9,localaddr=127.0.0.1:0 virtio-net-pci,id=nic1,netdev=net1,mac=52:54:00:12:34:57,romfile=",
            ),
            (
                Nic::user_with("hostname=n1").arguments(1, script),
                "user,id=net1,bootfile=http://10.0.2.2:1/a,,b,hostname=n1 virtio-net-pci,id=nic1,netdev=net1,mac=52:54:00:12:34:57,bootindex=2",
            ),
            (
                Nic::tap("t").without_rom().mac("52:54:00:00:00:01").arguments(0, script),
                "tap,id=net0,ifname=t,script=no,downscript=no virtio-net-pci,id=nic0,netdev=net0,mac=52:54:00:00:00:01,romfile=,bootindex=1",
            ),
            (
                Nic::silent().arguments(0, script),
                "socket,id=net0,udp=127.0.0.1:9,localaddr=127.0.0.1:0 virtio-net-pci,id=nic0,netdev=net0,mac=52:54:00:12:34:56,romfile=",
            ),
            (
                Nic::tap("port1").mac("52:54:00:77:00:01").arguments(0, None),
                "tap,id=net0,ifname=port1,script=no,downscript=no virtio-net-pci,id=nic0,netdev=net0,mac=52:54:00:77:00:01,romfile=",
            ),
            (
                Nic::tap("port1").arguments(0, script),
                "tap,id=net0,ifname=port1,script=no,downscript=no virtio-net-pci,id=nic0,netdev=net0,mac=52:54:00:12:34:56,bootindex=1",
            ),
            (
                Drive::read_only("/a,b").arguments(0),
                "if=none,id=disk0,format=raw,readonly=on,file=/a,,b virtio-blk-pci,id=virtio-disk0,drive=disk0,serial=disk0",
            ),
            (
                Drive::snapshot("/a").with_faults(Path::new("/c")).arguments(2),
                "if=none,id=disk2,format=raw,snapshot=on,file.driver=blkdebug,file.config=/c,file.image.driver=file,\
                 file.image.filename=/a virtio-blk-pci,id=virtio-disk2,drive=disk2,serial=disk2",
            ),
        ];
        for (arguments, expected) in table {
            let values: Vec<&str> =
                arguments.iter().filter(|argument| !argument.starts_with('-')).map(String::as_str).collect();
            assert_eq!(values.join(" "), expected);
        }
    }
}
