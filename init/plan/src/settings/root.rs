//! `root=` in the spellings of dracut and of the kernel, see dracut.cmdline(7).

use super::ImageSource;
use super::value::parse_path;

/// Roots of other boot programs, and what to write instead.
const OTHER_SCHEMES: &[(&[&str], &str)] = &[
    (
        &["nfs", "nfs4", "cifs", "virtiofs"],
        "make a squashfs of that folder (mksquashfs FOLDER os.squashfs -comp zstd) and write root=live:http://SERVER/os.squashfs",
    ),
    (
        &["iscsi", "nbd", "fcoe"],
        "boot from a local disk, or serve the image as a file and write root=live:http://SERVER/IMAGE",
    ),
    (&["tftp", "ftp"], "serve the image over http or https and write root=live:http://SERVER/IMAGE"),
    (
        &["zfs"],
        "put a squashfs or erofs image on a web server or a plain disk: root=live:http://SERVER/IMAGE, root=LABEL=NAME",
    ),
    (
        &["wwinit"],
        "serve the node image as squashfs or erofs and write root=live:http://SERVER/IMAGE; overlays of Warewulf have no place here, settings have",
    ),
];

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
    if let Some((scheme, _)) = rest.split_once(':')
        && let Some((_, instead)) = OTHER_SCHEMES.iter().find(|(schemes, _)| schemes.contains(&scheme))
    {
        return Err(format!("\"{scheme}:\" is not supported; {instead}"));
    }
    rest.parse().map(|device| ImageSource::Device { device, live })
}
