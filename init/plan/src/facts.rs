//! What the machine was told, before anything is understood of it.

use dayfly_formats::mac::Mac;

use crate::settings::value::HostName;
use crate::{Document, Secret, Source};

/// How Dayfly was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// As `/init` of an initramfs: it does everything.
    #[default]
    Initramfs,
    /// By dracut's module: udev has loaded the drivers, and dracut switches root.
    Dracut,
    /// As `init=` on a root that is mounted already: that root is the image.
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
    /// Its name, `dayfly.toml` or `dayfly.NAME-OF-A-SETTING`; all others are the OS's.
    pub name: String,
    /// Its value.
    pub value: Secret,
}

/// A settings file from one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFile {
    /// The place.
    pub source: Source,
    /// TOML.
    pub document: Document,
}

/// Which machine this is, as far as the boot knows it by now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// The firmware's UUID of the system, in lower case.
    pub uuid: Option<String>,
    /// The firmware's serial number of the system.
    pub serial: Option<String>,
    /// The addresses of its interfaces; known when the drivers are loaded.
    pub macs: Vec<Mac>,
    /// The name that the network gives it; known when the network is up.
    pub network_name: Option<HostName>,
}

/// What the boot finds out of itself and that its plan depends on: the other input of [`plan`](crate::plan), beside the settings. A
/// step hands in what it finds as a [`Fact`], and the boot is planned again; what is no fact (a disk, what the kernel can do) is for
/// the steps alone and never changes the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// How Dayfly was started.
    pub way: Way,
    /// The machine that it starts on.
    pub machine: Machine,
}

/// What a boot starts from and learns on its way before it is planned to the end: texts, of which the settings are gathered, and what
/// was discovered. The same facts give the same plan, on the machine as under `dayfly explain`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What was found out.
    pub discovered: Discovered,
    /// The kernel command line, `/proc/cmdline`.
    pub cmdline: String,
    /// Settings files, in any order; at most one from each place.
    pub files: Vec<SettingsFile>,
    /// Credentials of the firmware, by where they were found.
    pub credentials: Vec<(Store, Credential)>,
}

/// Where a credential was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// SMBIOS OEM strings (type 11), readable from the start.
    Smbios,
    /// QEMU's fw_cfg, readable once its driver is there.
    FwCfg,
}

/// Something that a step finds and that the rest of the boot is planned by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A settings file.
    Settings(SettingsFile),
    /// A credential.
    Credential(Store, Credential),
    /// The addresses of the machine's interfaces.
    Macs(Vec<Mac>),
    /// The name that the network gives the machine.
    NetworkName(HostName),
}

impl Facts {
    /// A command line alone.
    pub fn from_cmdline(cmdline: impl Into<String>) -> Self {
        Self { cmdline: cmdline.into(), ..Self::default() }
    }

    /// With a settings file in the initramfs.
    pub fn with_file(self, text: impl Into<String>) -> Self {
        self.with_settings(Source::Initramfs, text)
    }

    /// With a settings file from somewhere.
    pub fn with_settings(mut self, source: Source, text: impl Into<String>) -> Self {
        self.learn(Fact::Settings(SettingsFile { source, document: Document(text.into()) }));
        self
    }

    /// Started in that way.
    pub fn on_way(mut self, way: Way) -> Self {
        self.discovered.way = way;
        self
    }

    /// Takes a new fact in; a settings file replaces an earlier one from the same place.
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
        }
    }
}
