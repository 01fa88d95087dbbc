//! Where a value came from.

use std::fmt;

use crate::Store;

/// The credential that is a whole settings file.
pub const CREDENTIAL_FILE: &str = "dayfly.toml";

/// Where a value came from. The order is the order of precedence: a later one replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Built in.
    Default,
    /// The settings file of the OS image.
    Image,
    /// The settings file in the initramfs.
    Initramfs,
    /// The settings file behind `settings.url`.
    Url {
        /// It came over TLS, so nobody could read or change it on the way.
        secure: bool,
    },
    /// The settings file on the `/config` partition.
    Config,
    /// A credential of the machine's firmware, by its store and name.
    Credential(Store, String),
    /// A rule of a settings file that holds for this machine.
    Rule {
        /// The file.
        file: Box<Source>,
        /// The rule's position in it, from 1.
        position: usize,
        /// From when on it is known whether the rule holds.
        stage: Stage,
    },
    /// The kernel command line, by this parameter.
    Cmdline(String),
}

/// A place of settings. The order is that of trust, which is not that of precedence: what decides trust belongs to the first
/// place that sets it, before anybody can have put anything in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file in the initramfs.
    Initramfs,
    /// The kernel command line.
    Cmdline,
    /// Credentials of the machine's firmware.
    Firmware,
    /// The settings disk.
    Config,
    /// The settings URL.
    Url,
    /// The image's own settings.
    Image,
    /// Built in.
    Default,
}

/// A moment in the boot at which settings are used up: what is found later cannot change them any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The kernel hands over: command line, initramfs and SMBIOS are known.
    Devices,
    /// The drivers are loaded: `/config` and fw_cfg are known.
    Network,
    /// The network is up: the settings URL is known.
    Image,
    /// The image is mounted: its own defaults are known.
    Root,
}

impl Stage {
    /// What happens then, to end the sentence "it is used before …".
    pub const fn moment(self) -> &'static str {
        match self {
            Stage::Devices => "the first driver is loaded",
            Stage::Network => "the network comes up",
            Stage::Image => "the image is fetched",
            Stage::Root => "the root is made",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::Image => f.write_str("image"),
            Source::Initramfs => f.write_str("initramfs"),
            Source::Url { secure: true } => f.write_str("url"),
            Source::Url { secure: false } => f.write_str("url (no TLS)"),
            Source::Config => f.write_str("/config"),
            Source::Credential(store, name) => write!(f, "{} {name}", store.name()),
            Source::Rule { file, position, .. } => write!(f, "{file}, match {position}"),
            Source::Cmdline(key) => write!(f, "cmdline {key}"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Its origin.
    pub source: Source,
}

impl<T> Sourced<T> {
    /// A built-in value.
    pub const fn default_of(value: T) -> Self {
        Self { value, source: Source::Default }
    }

    /// Replaces the value unless what is there has precedence.
    pub fn set(&mut self, value: T, source: Source) {
        // Within one source the later word wins, as on the kernel command line.
        if source.rank() >= self.source.rank() {
            *self = Self { value, source };
        }
    }
}

impl Source {
    /// Precedence, higher wins: first by the place, then by the rule in it, so that a rule is like a file of its own
    /// right behind the one that it stands in.
    pub fn rank(&self) -> (u8, usize) {
        match self {
            Source::Default => (0, 0),
            Source::Image => (1, 0),
            Source::Initramfs => (2, 0),
            Source::Url { .. } => (3, 0),
            Source::Config => (4, 0),
            // Of one store, a credential for one setting wins over the file and its rules.
            Source::Credential(store, name) => {
                let place = if *store == Store::Smbios { 5 } else { 6 };
                (place, if name == CREDENTIAL_FILE { 0 } else { usize::MAX })
            }
            Source::Rule { file, position, .. } => (file.rank().0, *position),
            Source::Cmdline(_) => (7, 0),
        }
    }

    /// The file that a rule stands in; else itself.
    pub fn file(&self) -> &Source {
        match self {
            Source::Rule { file, .. } => file.file(),
            other => other,
        }
    }

    /// Its place in the order of trust.
    pub fn place(&self) -> Place {
        match self.file() {
            Source::Initramfs => Place::Initramfs,
            Source::Cmdline(_) => Place::Cmdline,
            Source::Credential(..) => Place::Firmware,
            Source::Config => Place::Config,
            Source::Url { .. } => Place::Url,
            Source::Image => Place::Image,
            // A rule's file is none.
            Source::Default | Source::Rule { .. } => Place::Default,
        }
    }

    /// From when on it is known.
    pub fn stage(&self) -> Stage {
        match self {
            Source::Rule { file, stage, .. } => file.stage().max(*stage),
            Source::Default | Source::Initramfs | Source::Cmdline(_) => Stage::Devices,
            Source::Credential(store, _) => store.stage(),
            Source::Config => Stage::Network,
            Source::Url { .. } => Stage::Image,
            Source::Image => Stage::Root,
        }
    }

    /// Whether a secret may come from there: only from where nobody else can read it.
    pub fn is_private(&self) -> bool {
        match self {
            Source::Rule { file, .. } => file.is_private(),
            Source::Config | Source::Credential(..) | Source::Url { secure: true } => true,
            Source::Default
            | Source::Image
            | Source::Initramfs
            | Source::Url { secure: false }
            | Source::Cmdline(_) => false,
        }
    }
}
