//! Where a value came from.

use std::fmt;

use crate::Store;

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
    /// The kernel command line, by this parameter.
    Cmdline(String),
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
    /// Precedence, higher wins.
    pub const fn rank(&self) -> u8 {
        match self {
            Source::Default => 0,
            Source::Image => 1,
            Source::Initramfs => 2,
            Source::Url { .. } => 3,
            Source::Config => 4,
            Source::Credential(Store::Smbios, _) => 5,
            Source::Credential(Store::FwCfg, _) => 6,
            Source::Cmdline(_) => 7,
        }
    }

    /// From when on it is known.
    pub const fn stage(&self) -> Stage {
        match self {
            Source::Default | Source::Initramfs | Source::Cmdline(_) => Stage::Devices,
            Source::Credential(store, _) => store.stage(),
            Source::Config => Stage::Network,
            Source::Url { .. } => Stage::Image,
            Source::Image => Stage::Root,
        }
    }

    /// Whether a secret may come from there: only from where nobody else can read it.
    pub const fn is_private(&self) -> bool {
        match self {
            Source::Config | Source::Credential(..) | Source::Url { secure: true } => true,
            Source::Default
            | Source::Image
            | Source::Initramfs
            | Source::Url { secure: false }
            | Source::Cmdline(_) => false,
        }
    }
}
