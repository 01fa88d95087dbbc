//! The OS image.

use std::fmt;

use super::{DeviceRef, Path, Url, Value};

/// Where the OS image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// A URL on a server.
    Url(Url),
    /// A disk: the disk itself, or with `live` a file on it.
    Device {
        /// The disk.
        device: DeviceRef,
        /// dracut's `live:`: the image is a file in the disk's file system, unless the disk itself is an image.
        live: bool,
    },
    /// A file in the initramfs itself.
    File(String),
}

/// Root schemes of other boot programs, with the alternative in Dayfly.
const OTHER_SCHEMES: &[(&[&str], &str)] = &[
    (
        &["nfs", "nfs4", "cifs", "virtiofs"],
        "make a squashfs of that directory (mksquashfs DIRECTORY os.squashfs -comp zstd) and use root=live:http://SERVER/os.squashfs",
    ),
    (
        &["iscsi", "nbd", "fcoe"],
        "boot from a local disk, or serve the image as a file and use root=live:http://SERVER/IMAGE",
    ),
    (&["tftp", "ftp"], "serve the image over http or https and use root=live:http://SERVER/IMAGE"),
    (
        &["zfs"],
        "put a squashfs or erofs image on a web server or a plain disk: root=live:http://SERVER/IMAGE, root=LABEL=NAME",
    ),
    (
        &["wwinit"],
        "serve the node image as squashfs or erofs and use root=live:http://SERVER/IMAGE; use settings instead of Warewulf overlays",
    ),
];

impl ImageSource {
    /// Reads the value of `root=` in the syntax of dracut and the kernel: dracut.cmdline(7).
    pub fn of_root(text: &str) -> Result<Self, String> {
        let (live, rest) = match text.strip_prefix("live:").or_else(|| text.strip_prefix("squashfs:")) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if rest.is_empty() {
            return Err(
                "it does not name an image: a URL, LABEL=, UUID=, PARTLABEL=, PARTUUID= or /dev/NAME is expected"
                    .to_owned(),
            );
        }
        if rest.contains("://") {
            return rest.parse().map(Self::Url);
        }
        if live && rest.starts_with('/') && !rest.starts_with("/dev/") {
            return Path::read(rest).map(Self::File);
        }
        if let Some(url) = misspelt_url(rest) {
            return Err(format!("\"{rest}\" is not a URL; write {url}"));
        }
        if let Some((scheme, _)) = rest.split_once(':')
            && let Some((_, instead)) = OTHER_SCHEMES.iter().find(|(schemes, _)| schemes.contains(&scheme))
        {
            return Err(format!("\"{scheme}:\" is not supported; {instead}"));
        }
        if is_network_root(rest) {
            return Err(format!(
                "\"{rest}\" is a root over the network, which is not supported; use root=live:http://SERVER/IMAGE with a squashfs or \
                 erofs image"
            ));
        }
        rest.parse().map(|device| Self::Device { device, live })
    }
}

/// The URL that is meant by a text with a colon or slash too few: `http:/10.0.0.1/os`, `http//10.0.0.1/os`.
fn misspelt_url(text: &str) -> Option<String> {
    ["https", "http"].into_iter().find_map(|scheme| {
        let rest = text.strip_prefix(scheme).filter(|rest| rest.starts_with([':', '/']))?;
        let rest = rest.trim_start_matches([':', '/']);
        (!rest.is_empty()).then(|| format!("{scheme}://{rest}"))
    })
}

/// Whether it is a form of dracut.cmdline(7) without a scheme: `dhcp` (the root-path of a DHCP server), the kernel's names
/// for NFS and CIFS, or `SERVER:/PATH` (NFS).
fn is_network_root(text: &str) -> bool {
    matches!(text, "dhcp" | "dhcp6" | "/dev/nfs" | "/dev/cifs") || text.contains(":/") && !text.contains('=')
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageSource::Url(url) => url.fmt(f),
            ImageSource::Device { device, .. } => device.fmt(f),
            ImageSource::File(path) => path.fmt(f),
        }
    }
}
