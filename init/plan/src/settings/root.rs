//! `root=` in the spellings of dracut and of the kernel, see dracut.cmdline(7).

use super::ImageSource;
use super::value::parse_path;

/// Reads the value of `root=`.
pub fn parse(text: &str) -> Result<ImageSource, String> {
    let (live, rest) = match text.strip_prefix("live:").or_else(|| text.strip_prefix("squashfs:")) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return Err(
            "it names no image: a URL, LABEL=, UUID=, PARTLABEL=, PARTUUID= or /dev/NAME is expected"
                .to_owned(),
        );
    }
    if rest.contains("://") {
        return rest.parse().map(ImageSource::Url);
    }
    if live && rest.starts_with('/') && !rest.starts_with("/dev/") {
        return parse_path(rest).map(ImageSource::File);
    }
    let scheme = rest.split_once(':').map(|(scheme, _)| scheme);
    if let Some(
        scheme @ ("nfs" | "nfs4" | "iscsi" | "nbd" | "fcoe" | "cifs" | "virtiofs" | "tftp" | "ftp" | "zfs"
        | "wwinit"),
    ) = scheme
    {
        return Err(format!("\"{scheme}:\" is not supported: an http or https URL or a disk is expected"));
    }
    rest.parse().map(|device| ImageSource::Device { device, live })
}
