//! The source of a value. The table of [`Kind`] has the properties of each source: its precedence, its position in the
//! order of trust, the stage from which it is known, whether it is private, and its names.

use std::fmt;

use crate::{Store, in_reference};

/// The credential that contains a complete settings file.
pub const CREDENTIAL_FILE: &str = "dayfly.toml";

/// A position in the order of trust, which differs from the order of precedence: a setting that decides trust belongs
/// to the first source that sets it, so that no later source can replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file in the initramfs: its builder comes first.
    Initramfs,
    /// The kernel command line.
    Cmdline,
    /// Credentials of the machine's firmware. The sources up to here were chosen for this machine by the person who
    /// starts it.
    Firmware,
    /// Found during the boot. A lower number was found earlier.
    Found(u8),
    /// Built in.
    Default,
}

/// A point in the boot at which settings are used. Sources that are found later cannot change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The kernel starts init: command line, initramfs and SMBIOS are known.
    Devices,
    /// The drivers are loaded: `/config` and fw_cfg are known.
    Network,
    /// The network is up: the settings URL is known.
    Image,
    /// The image is mounted: its own defaults are known.
    Root,
}

impl Stage {
    /// The event at this point, to end the sentence "it is needed before …".
    pub const fn moment(self) -> &'static str {
        match self {
            Stage::Devices => "the first driver is loaded",
            Stage::Network => "the network comes up",
            Stage::Image => "the image is fetched",
            Stage::Root => "the root is made",
        }
    }
}

/// Whether a source is private, so that it may contain secrets. The text is the name of the source in messages that
/// list private sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Private {
    /// Others can read it.
    No,
    /// Private.
    Yes(&'static str),
    /// Private if it came over TLS.
    OverTls(&'static str),
}

/// The policy that may forbid a source to set anything that runs as root or decides trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// No policy: only its position in the order of trust limits it.
    None,
    /// `settings.trust`, if it came without TLS: anyone on the network path may have written it.
    WithoutTls,
    /// `config.trust`: anyone may have put the disk into the machine.
    Disk,
}

/// The properties of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its name in messages, in `dayfly explain` and in boot.json.
    pub word: &'static str,
    /// Its position in the order of trust.
    pub place: Place,
    /// The stage from which it is known.
    pub stage: Stage,
    /// Whether it may contain secrets.
    pub private: Private,
    /// The policy that may limit it.
    pub limit: Limit,
    /// Its documentation.
    pub doc: Doc,
}

/// The documentation of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doc {
    /// Its name in the orders of precedence and trust.
    pub name: &'static str,
    /// Its name in the table of sources.
    pub title: &'static str,
    /// How a setting is written in it.
    pub written: &'static str,
    /// When it is read.
    pub read: &'static str,
}

const fn doc(name: &'static str, title: &'static str, written: &'static str, read: &'static str) -> Doc {
    Doc {
        name: in_reference(name),
        title: in_reference(title),
        written: in_reference(written),
        read: in_reference(read),
    }
}

/// A source with its fields besides the kind: `SOURCE [FIELDS] { KIND PATTERN => ROW; }`. If the fields decide the
/// kind, the source has several rows.
macro_rules! sources {
    ($($(#[$text:meta])* $source:ident [$($fields:tt)*] { $($kind:ident $pattern:tt => $row:expr;)+ })*) => {
        /// The source of a value.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Source {
            $($(#[$text])* $source $($fields)*,)*
            /// A rule of a settings file that holds for this machine.
            Rule {
                /// The file.
                file: Box<Source>,
                /// The position of the rule in the file, from 1.
                position: usize,
                /// The stage from which it is known whether the rule holds.
                stage: Stage,
            },
        }

        /// The kinds of sources, in the order of precedence: a later one replaces an earlier one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each has a row that describes it")]
        pub enum Kind {
            $($($kind,)+)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Kind] = &[$($(Kind::$kind,)+)*];

            /// Its properties.
            pub const fn row(self) -> Row {
                match self {
                    $($(Kind::$kind => $row,)+)*
                }
            }
        }

        impl Source {
            /// The kind. For a rule, that of its file.
            pub fn kind(&self) -> Kind {
                match self {
                    $($(Source::$source $pattern => Kind::$kind,)+)*
                    Source::Rule { file, .. } => file.kind(),
                }
            }
        }
    };
}

// To add a source, add a row here at its position in the order of precedence, and the code that passes its text on: a
// step that finds a settings file there, or a module besides those in `gather`.
sources! {
    /// Built in.
    Default [] { Default {} => Row {
        word: "default",
        place: Place::Default,
        stage: Stage::Devices,
        private: Private::No,
        limit: Limit::None,
        doc: doc("built in", "built in", "the defaults in the tables below", "-"),
    }; }
    /// The settings file of the OS image.
    Image [] { Image {} => Row {
        word: "image",
        place: Place::Found(3),
        stage: Stage::Root,
        private: Private::No,
        limit: Limit::None,
        doc: doc("image", "the OS image", "TOML in `/usr/lib/dayfly/settings.toml`", "when the image is mounted"),
    }; }
    /// The settings file in the initramfs.
    Initramfs [] { Initramfs {} => Row {
        word: "initramfs",
        place: Place::Initramfs,
        stage: Stage::Devices,
        private: Private::No,
        limit: Limit::None,
        doc: doc(
            "initramfs",
            "the initramfs",
            "TOML, `dayfly initramfs --settings FILE`, packed as `/etc/dayfly.toml`",
            "at once",
        ),
    }; }
    /// The settings file behind `settings.url`.
    Url [{
        /// It came over TLS, so nobody on the network path could read or change it.
        secure: bool,
    }] { Url { .. } => Row {
        word: "url",
        place: Place::Found(2),
        stage: Stage::Image,
        private: Private::OverTls("a settings URL with https"),
        limit: Limit::WithoutTls,
        doc: doc("settings URL", "a server", "TOML at `settings.url`", "when the network is up"),
    }; }
    /// The settings file on the `/config` partition.
    Config [] { Config {} => Row {
        word: "/config",
        place: Place::Found(1),
        stage: Stage::Network,
        private: Private::Yes("/config"),
        limit: Limit::Disk,
        doc: doc(
            "settings disk",
            "the settings disk",
            "TOML in `dayfly.toml` on the file system with the label `config`, or on `config.device`",
            "when the drivers are loaded",
        ),
    }; }
    /// A credential of the machine's firmware, by its store and name.
    Credential [(Store, String)] {
        Smbios (Store::Smbios, _) => Row {
            word: "smbios",
            place: Place::Firmware,
            stage: Stage::Devices,
            private: Private::Yes("credentials"),
            limit: Limit::None,
            doc: doc(
                "SMBIOS",
                "SMBIOS",
                "OEM strings (type 11) `io.systemd.credential:NAME=VALUE` or `io.systemd.credential.binary:NAME=BASE64`",
                "at once",
            ),
        };
        FwCfg (Store::FwCfg, _) => Row {
            word: "fw_cfg",
            place: Place::Firmware,
            stage: Stage::Network,
            private: Private::Yes("credentials"),
            limit: Limit::None,
            doc: doc("fw_cfg", "QEMU's fw_cfg", "`opt/io.systemd.credentials/NAME`", "when its driver is loaded"),
        };
    }
    /// The kernel command line, by this parameter.
    Cmdline [(String)] { Cmdline (_) => Row {
        word: "cmdline",
        place: Place::Cmdline,
        stage: Stage::Devices,
        private: Private::No,
        limit: Limit::None,
        doc: doc("kernel command line", "kernel command line", "`dayfly.image.url=…`", "at once"),
    }; }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.kind().row().word;
        match self {
            Source::Rule { file, position, .. } => write!(f, "{file}, match {position}"),
            Source::Credential(_, name) | Source::Cmdline(name) => write!(f, "{word} {name}"),
            Source::Url { secure: false } => write!(f, "{word} (no TLS)"),
            _ => f.write_str(word),
        }
    }
}

/// A value and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Its source.
    pub source: Source,
}

impl<T> Sourced<T> {
    /// A built-in value.
    pub const fn default_of(value: T) -> Self {
        Self { value, source: Source::Default }
    }

    /// Replaces the value unless the current one has precedence.
    pub fn set(&mut self, value: T, source: Source) {
        // Within one source, the later value wins, as on the kernel command line.
        if source.rank() >= self.source.rank() {
            *self = Self { value, source };
        }
    }
}

impl Source {
    /// The precedence; higher wins. It is ordered by the kind, then by the rule, so that a rule is like a separate file
    /// directly after the file that contains it.
    pub fn rank(&self) -> (Kind, usize) {
        let within = match self {
            Source::Rule { position, .. } => *position,
            // In one store, a credential for one setting takes precedence over the file and its rules.
            Source::Credential(_, name) if name != CREDENTIAL_FILE => usize::MAX,
            _ => 0,
        };
        (self.kind(), within)
    }

    /// The file that contains a rule. For other sources, the source itself.
    pub fn file(&self) -> &Source {
        match self {
            Source::Rule { file, .. } => file.file(),
            other => other,
        }
    }

    /// Its position in the order of trust.
    pub fn place(&self) -> Place {
        self.kind().row().place
    }

    /// The stage from which it is known.
    pub fn stage(&self) -> Stage {
        match self {
            Source::Rule { file, stage, .. } => file.stage().max(*stage),
            _ => self.kind().row().stage,
        }
    }

    /// Whether a secret may come from this source: only if nobody else can read it.
    pub fn is_private(&self) -> bool {
        match self.kind().row().private {
            Private::No => false,
            Private::Yes(_) => true,
            Private::OverTls(_) => self.is_secure(),
        }
    }

    /// The policy that may limit it.
    pub fn limit(&self) -> Limit {
        match self.kind().row().limit {
            Limit::WithoutTls if self.is_secure() => Limit::None,
            limit => limit,
        }
    }

    fn is_secure(&self) -> bool {
        matches!(self.file(), Source::Url { secure: true })
    }
}

/// The names of the private sources, for a message, with the highest precedence first.
pub fn private_places() -> String {
    let mut names: Vec<&str> = Vec::new();
    for kind in Kind::ALL.iter().rev() {
        if let Private::Yes(name) | Private::OverTls(name) = kind.row().private
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
