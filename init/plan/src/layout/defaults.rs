//! Who writes which path of an OS. This decides the default policy of the path. docs/reference/layout.md is generated
//! from this table.

use std::fmt;

use super::{Layout, Policy};
use crate::Sourced;

/// Who writes to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The image build.
    Image,
    /// The image's package manager and the installation scripts of its packages. The data describes the image's `/usr`
    /// and is wrong for any other `/usr`.
    Packages,
    /// The node's services, while they run.
    Node,
    /// Users, and software that they install in addition to the OS.
    User,
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Writer::Image => "the image",
            Writer::Packages => "packages",
            Writer::Node => "the node",
            Writer::User => "users",
        })
    }
}

/// A path of the OS.
#[derive(Debug, Clone, Copy)]
pub struct Owned {
    /// Absolute.
    pub path: &'static str,
    /// Who writes to it.
    pub writer: Writer,
    /// Its contents.
    pub what: &'static str,
}

impl Owned {
    /// Its default policy.
    pub const fn policy(&self) -> Policy {
        match self.writer {
            Writer::Image => Policy::ReadOnly,
            Writer::Packages => Policy::Ephemeral,
            Writer::Node | Writer::User => Policy::Persistent,
        }
    }
}

const fn of(writer: Writer, path: &'static str, what: &'static str) -> Owned {
    Owned { path, writer, what }
}

const fn packages(path: &'static str, what: &'static str) -> Owned {
    of(Writer::Packages, path, what)
}

/// The paths that have a default policy. All other paths are in the root's overlay and so follow the image, for example
/// `/lib/apk/db` of Alpine and `/etc/alternatives`.
pub const DEFAULTS: &[Owned] = &[
    packages("/etc", "configuration of the image, with the node's own on top of it"),
    of(Writer::User, "/home", "home folders"),
    of(Writer::User, "/opt", "software without a package"),
    of(Writer::Image, "/usr", "the OS"),
    of(Writer::User, "/usr/local", "software that was built on the node"),
    of(Writer::Node, "/var", "data of services; package databases below it are listed separately"),
    // Debian and derivatives
    packages("/var/lib/dpkg", "dpkg: packages, alternatives, triggers, diversions"),
    packages("/var/lib/apt/extended_states", "apt: which packages came as a dependency"),
    packages("/var/cache/debconf", "debconf: answers to packages' questions"),
    packages("/var/lib/ucf", "ucf: checksums of configuration files"),
    packages("/var/lib/pam", "pam-auth-update: the profiles that /etc/pam.d was made from"),
    packages("/var/lib/shells.state", "update-shells: what /etc/shells was made from"),
    packages("/var/lib/initramfs-tools", "initramfs-tools: kernels that have an initramfs"),
    packages("/var/lib/systemd/deb-systemd-helper-enabled", "units that packages have enabled in /etc"),
    packages("/var/lib/systemd/deb-systemd-helper-masked", "units that packages have masked in /etc"),
    packages(
        "/var/lib/systemd/deb-systemd-user-helper-enabled",
        "user units that packages have enabled in /etc",
    ),
    packages(
        "/var/lib/systemd/deb-systemd-user-helper-masked",
        "user units that packages have masked in /etc",
    ),
    packages("/var/lib/python", "python: modules that packages have compiled"),
    packages("/var/lib/sgml-base", "catalogs of SGML"),
    packages("/var/lib/xml-core", "catalogs of XML"),
    packages("/var/lib/emacsen-common", "packages of Emacs"),
    packages("/var/lib/ghc", "packages of Haskell"),
    packages("/var/lib/dictionaries-common", "dictionaries"),
    packages("/var/cache/dictionaries-common", "dictionaries"),
    // Fedora, Red Hat, SUSE
    packages("/var/lib/rpm", "rpm: packages"),
    packages("/var/lib/rpm-state", "rpm: data that package scripts exchange"),
    packages("/var/lib/alternatives", "update-alternatives of Red Hat: what /etc/alternatives was made from"),
    packages("/var/lib/dnf", "dnf: why and when each package was installed"),
    packages("/var/lib/yum", "yum: why and when each package was installed"),
    packages("/var/lib/zypp", "zypper: which packages came as a dependency"),
    packages("/var/lib/authselect", "authselect: the profile that /etc/pam.d was made from"),
    packages("/var/lib/selinux", "SELinux: the modules that the policy in /etc/selinux was made from"),
    packages("/var/lib/ca-certificates", "SUSE: the certificates of the packages, in one file"),
    // Arch, Gentoo, Void, Slackware, Solus
    packages("/var/lib/pacman/local", "pacman: packages"),
    packages("/var/db/pkg", "Portage: packages"),
    packages("/var/lib/portage", "Portage: the set @world and related data"),
    packages("/var/cache/edb", "Portage: the times of packages' files"),
    packages("/var/db/xbps", "xbps: packages"),
    packages("/var/lib/pkgtools", "pkgtools: packages"),
    packages("/var/log/packages", "pkgtools before Slackware 15: packages"),
    packages("/var/lib/eopkg", "eopkg: packages"),
    // Generated from /usr, on any distribution
    packages("/var/lib/systemd/catalog", "systemd: the catalogue of messages"),
    packages("/var/cache/ldconfig", "ldconfig: libraries"),
    packages("/var/cache/fontconfig", "fontconfig: fonts"),
    packages("/var/cache/man", "man-db: manual pages"),
    packages("/var/cache/apparmor", "AppArmor: compiled profiles"),
    packages("/var/lib/dkms", "DKMS: modules that were built for the image's kernels"),
    packages("/var/lib/texmf", "TeX: formats and maps of fonts"),
];

/// Whether the path is a package database below `/var`. A plan shows all of them as one group.
pub fn is_database(path: &str) -> bool {
    path != "/etc" && DEFAULTS.iter().any(|owned| owned.path == path && owned.writer == Writer::Packages)
}

/// The layout of an immutable OS: `/usr` read-only, `/etc` new at each boot, data persistent. Package databases
/// describe the image's `/usr` and change with it. On a state disk they would describe an older image.
pub fn default_layout() -> Layout {
    DEFAULTS.iter().map(|owned| (owned.path.to_owned(), Sourced::default_of(owned.policy()))).collect()
}
