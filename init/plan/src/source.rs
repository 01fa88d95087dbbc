//! Where a value came from. One table, [`Kind`], holds what is to be known of each place of settings: its precedence, its
//! standing in trust, from when on it is there, whether it is private, and its words.

use std::fmt;

use crate::{Store, in_reference};

/// The credential that is a whole settings file.
pub const CREDENTIAL_FILE: &str = "dayfly.toml";

/// A standing in the order of trust, which is not that of precedence: what decides trust belongs to the first place that
/// sets it, before anybody can have put anything in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file in the initramfs: whoever builds that has the first word.
    Initramfs,
    /// The kernel command line.
    Cmdline,
    /// Credentials of the machine's firmware. What counts up to here was chosen for this machine by who starts it.
    Firmware,
    /// Found on the way: the lower number was there first.
    Found(u8),
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

/// Whether nobody else can read what stands in a place: only then may a secret stand there. The text is what the place is
/// called where a message lists such places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Private {
    /// Others can.
    No,
    /// Nobody can.
    Yes(&'static str),
    /// Nobody can, where it came over TLS.
    OverTls(&'static str),
}

/// The policy that may keep a place from all that runs as root or decides trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// None: it may set what its standing lets it set.
    None,
    /// `settings.trust`, where it came without TLS: anybody on the way can have written it.
    WithoutTls,
    /// `config.trust`: anybody can have put the disk into the machine.
    Disk,
}

/// What is to be known of a place of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its word in messages, in `dayfly explain` and in boot.json.
    pub word: &'static str,
    /// Its standing in trust.
    pub place: Place,
    /// From when on it is known.
    pub stage: Stage,
    /// Whether secrets may stand there.
    pub private: Private,
    /// The policy that may limit it.
    pub limit: Limit,
    /// The documentation of it.
    pub doc: Doc,
}

/// What the documentation says of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doc {
    /// Its name in the orders of precedence and trust.
    pub name: &'static str,
    /// Its name in the table of places.
    pub title: &'static str,
    /// How a setting is written there.
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

/// A source with what it has beside its kind, `SOURCE [FIELDS] { KIND PATTERN => ROW; }`; one whose fields decide the kind has
/// several rows.
macro_rules! sources {
    ($($(#[$text:meta])* $source:ident [$($fields:tt)*] { $($kind:ident $pattern:tt => $row:expr;)+ })*) => {
        /// Where a value came from.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Source {
            $($(#[$text])* $source $($fields)*,)*
            /// A rule of a settings file that holds for this machine.
            Rule {
                /// The file.
                file: Box<Source>,
                /// The rule's position in it, from 1.
                position: usize,
                /// From when on it is known whether the rule holds.
                stage: Stage,
            },
        }

        /// The places of settings, in the order of precedence: a later one replaces an earlier one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each has a row that says it")]
        pub enum Kind {
            $($($kind,)+)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Kind] = &[$($(Kind::$kind,)+)*];

            /// What is to be known of it.
            pub const fn row(self) -> Row {
                match self {
                    $($(Kind::$kind => $row,)+)*
                }
            }
        }

        impl Source {
            /// The place; of a rule, that of its file.
            pub fn kind(&self) -> Kind {
                match self {
                    $($(Source::$source $pattern => Kind::$kind,)+)*
                    Source::Rule { file, .. } => file.kind(),
                }
            }
        }
    };
}

// A new source is a row here, where it stands in the order of precedence, and what hands its text over: a step that finds a
// settings file there, or a translator beside those in `gather`.
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
        /// It came over TLS, so nobody could read or change it on the way.
        secure: bool,
    }] { Url { .. } => Row {
        word: "url",
        place: Place::Found(2),
        stage: Stage::Image,
        private: Private::OverTls("a settings URL with https"),
        limit: Limit::WithoutTls,
        doc: doc("settings URL", "a server", "TOML behind `settings.url`", "when the network is up"),
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
    pub fn rank(&self) -> (Kind, usize) {
        let within = match self {
            Source::Rule { position, .. } => *position,
            // Of one store, a credential for one setting wins over the file and its rules.
            Source::Credential(_, name) if name != CREDENTIAL_FILE => usize::MAX,
            _ => 0,
        };
        (self.kind(), within)
    }

    /// The file that a rule stands in; else itself.
    pub fn file(&self) -> &Source {
        match self {
            Source::Rule { file, .. } => file.file(),
            other => other,
        }
    }

    /// Its standing in trust.
    pub fn place(&self) -> Place {
        self.kind().row().place
    }

    /// From when on it is known.
    pub fn stage(&self) -> Stage {
        match self {
            Source::Rule { file, stage, .. } => file.stage().max(*stage),
            _ => self.kind().row().stage,
        }
    }

    /// Whether a secret may come from there: only from where nobody else can read it.
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

/// Where secrets may stand, for a message: the last to be read in the order of precedence first.
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
