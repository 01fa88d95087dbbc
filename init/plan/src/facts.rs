//! The inputs of a boot, before they are interpreted.

use dayfly_formats::mac::Mac;

use crate::settings::value::HostName;
use crate::{Document, NamedImage, Secret, Source};

/// How Dayfly was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// As `/init` of an initramfs: it does everything.
    #[default]
    Initramfs,
    /// By dracut's module: udev has loaded the drivers, and dracut switches root.
    Dracut,
    /// As `init=` on a root that is already mounted: that root is the image.
    Root,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 3] = [Way::Initramfs, Way::Dracut, Way::Root];

    /// Its name for `dayfly explain --way` and in boot.json.
    pub const fn name(self) -> &'static str {
        match self {
            Way::Initramfs => "initramfs",
            Way::Dracut => "dracut",
            Way::Root => "root",
        }
    }
}

/// A credential in systemd's sense: a name and a value from the machine's firmware
/// (<https://systemd.io/CREDENTIALS/>, smbios-type-11(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name: `dayfly.toml` or `dayfly.NAME-OF-A-SETTING`. All others belong to the OS.
    pub name: String,
    /// Its value.
    pub value: Secret,
}

/// A settings file from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFile {
    /// The source.
    pub source: Source,
    /// TOML.
    pub document: Document,
}

/// The identity of the machine, as far as the boot knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// The firmware's UUID of the system, in lower case.
    pub uuid: Option<String>,
    /// The firmware's serial number of the system.
    pub serial: Option<String>,
    /// The MAC addresses of its interfaces. Known after the drivers are loaded.
    pub macs: Vec<Mac>,
    /// The host name that the network gives it. Known after the network is up.
    pub network_name: Option<HostName>,
}

/// What the boot itself finds out and what changes its plan. This is the other input of [`plan`](crate::plan), besides
/// the settings. A step reports a finding as a [`Fact`], and the boot is planned again. Everything else that a step
/// finds (a disk, a kernel feature) stays within the steps and never changes the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// How Dayfly was started.
    pub way: Way,
    /// The machine.
    pub machine: Machine,
    /// The clock was before the build time of the initramfs when the boot began, so it was certainly wrong.
    pub clock_was_unset: bool,
    /// The image that the manifest describes.
    pub image: Option<NamedImage>,
}

/// All inputs of a boot: the texts that the settings are gathered from, and what was discovered. The same facts give
/// the same plan, on the machine and in `dayfly explain`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What the boot found out.
    pub discovered: Discovered,
    /// The kernel command line, `/proc/cmdline`.
    pub cmdline: String,
    /// Settings files in any order, at most one per source.
    pub files: Vec<SettingsFile>,
    /// Credentials of the firmware, each with the store where it was found.
    pub credentials: Vec<(Store, Credential)>,
}

/// Where a credential was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// SMBIOS OEM strings (type 11), readable from the start.
    Smbios,
    /// QEMU's fw_cfg, readable once its driver is loaded.
    FwCfg,
}

/// Something that a step found and that changes the rest of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A settings file.
    Settings(SettingsFile),
    /// A credential.
    Credential(Store, Credential),
    /// The MAC addresses of the machine's interfaces.
    Macs(Vec<Mac>),
    /// The name that the network gives the machine.
    NetworkName(HostName),
    /// What the image's manifest says.
    Image(NamedImage),
}

impl Facts {
    /// Only a command line.
    pub fn from_cmdline(cmdline: impl Into<String>) -> Self {
        Self { cmdline: cmdline.into(), ..Self::default() }
    }

    /// Adds a settings file in the initramfs.
    pub fn with_file(self, text: impl Into<String>) -> Self {
        self.with_settings(Source::Initramfs, text)
    }

    /// Adds a settings file from the given source.
    pub fn with_settings(mut self, source: Source, text: impl Into<String>) -> Self {
        self.learn(Fact::Settings(SettingsFile { source, document: Document(text.into()) }));
        self
    }

    /// Sets how Dayfly was started.
    pub fn on_way(mut self, way: Way) -> Self {
        self.discovered.way = way;
        self
    }

    /// Adds a fact. A settings file replaces an earlier one from the same source.
    pub fn learn(&mut self, fact: Fact) {
        match fact {
            Fact::Settings(file) => {
                self.files.retain(|other| other.source.rank() != file.source.rank());
                self.files.push(file);
            }
            Fact::Credential(store, credential) => {
                self.credentials.retain(|(other, known)| (*other, &known.name) != (store, &credential.name));
                self.credentials.push((store, credential));
            }
            Fact::Macs(macs) => self.discovered.machine.macs = macs,
            Fact::NetworkName(name) => self.discovered.machine.network_name = Some(name),
            Fact::Image(image) => self.discovered.image = Some(image),
        }
    }
}
