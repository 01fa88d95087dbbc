//! fstab(5): the file systems that an OS mounts at boot, and the file without some of them.

use std::borrow::Cow;

/// One file system of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The device, in one of its spellings.
    pub device: Cow<'a, str>,
    /// The mount point, without a slash at its end; `none` for swap.
    pub place: Cow<'a, str>,
    /// Its file system.
    pub fstype: &'a str,
    /// Its options, separated by commas.
    pub options: &'a str,
    /// Whether fsck checks it before the mount.
    pub is_checked: bool,
}

/// What to do with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Leave it unchanged.
    Stay,
    /// Comment it out, after a comment with this reason.
    Leave(&'static str),
    /// Mount it read-only, after a comment with this reason.
    ReadOnly(&'static str),
    /// Do not wait for its device, after a comment with this reason. This adds `nofail`, and for swap also `noauto`:
    /// systemd's swap.target, and so the whole boot, waits for the swap device even with `nofail` (systemd.swap(5),
    /// default dependencies).
    Optional(&'static str),
}

/// The entries, in order. Invalid lines (too few fields, not UTF-8) are ignored, as in mount(8).
pub fn entries(text: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(parse)
}

/// The file with each entry changed as `fate` says. `None` if nothing changes. Comments and invalid lines stay
/// unchanged, byte for byte.
pub fn rewrite(text: &[u8], fate: impl Fn(&Entry<'_>) -> Fate) -> Option<Vec<u8>> {
    let mut new = Vec::with_capacity(text.len());
    let mut changed = false;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let entry = parse(line.strip_suffix(b"\n").unwrap_or(line));
        match entry.map(|entry| (fate(&entry), entry)) {
            None | Some((Fate::Stay, _)) => new.extend_from_slice(line),
            Some((Fate::Leave(reason), _)) => {
                changed = true;
                new.extend_from_slice(format!("# {reason}\n# ").as_bytes());
                new.extend_from_slice(line);
            }
            Some((Fate::ReadOnly(reason), entry)) => {
                changed = true;
                new.extend_from_slice(format!("# {reason}\n").as_bytes());
                new.extend_from_slice(with_option(line, &entry, "ro").as_bytes());
            }
            Some((Fate::Optional(reason), entry)) => {
                changed = true;
                new.extend_from_slice(format!("# {reason}\n").as_bytes());
                let option = if entry.fstype == "swap" { "nofail,noauto" } else { "nofail" };
                new.extend_from_slice(with_option(line, &entry, option).as_bytes());
            }
        }
    }
    changed.then_some(new)
}

/// The line with one more option at the end, where it takes precedence (mount(8)).
fn with_option(line: &[u8], entry: &Entry<'_>, option: &str) -> String {
    let text = String::from_utf8_lossy(line);
    let options = format!("{},{option}", entry.options);
    let mut fields: Vec<&str> = fields(text.strip_suffix('\n').unwrap_or(&text)).collect();
    match fields.get_mut(3) {
        Some(field) => *field = &options,
        None => fields.push(option),
    }
    fields.join(" ") + "\n"
}

fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let line = std::str::from_utf8(line).ok()?;
    let mut fields = fields(line);
    let device = fields.next().filter(|field| !field.starts_with('#'))?;
    let (place, fstype) = (fields.next()?, fields.next()?);
    let options = fields.next().unwrap_or("defaults");
    // The skipped field is for dump(8).
    let is_checked = fields.nth(1).is_some_and(|pass| pass.parse::<u32>().is_ok_and(|pass| pass > 0));
    let place = match unescape(place) {
        Cow::Borrowed(place) => Cow::Borrowed(without_slash(place)),
        Cow::Owned(place) => Cow::Owned(without_slash(&place).to_owned()),
    };
    Some(Entry { device: unescape(device), place, fstype, options, is_checked })
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t']).filter(|field| !field.is_empty())
}

fn without_slash(place: &str) -> &str {
    match place.trim_end_matches('/') {
        "" if place.starts_with('/') => "/",
        place => place,
    }
}

/// Spaces and backslashes are written as three octal digits (getmntent(3)). Other backslashes stay unchanged.
fn unescape(field: &str) -> Cow<'_, str> {
    if !field.contains('\\') {
        return Cow::Borrowed(field);
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..3).and_then(octal).filter(|_| byte == b'\\');
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn octal(digits: &[u8]) -> Option<u8> {
    let text =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    u8::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_what_mount_takes() {
        let text = b"# /etc/fstab: comment\n\
            UUID=4a1b-22 / ext4 errors=remount-ro 0 1\n\
            \t/dev/sda2\tnone\tswap\tsw 0 0\n\
            LABEL=my\\040disk /srv/my\\040files/ xfs\n\
            tmpfs //// tmpfs\n\
            half a\n\n\
            /dev/\xff /x ext4 defaults\n\
            /dev/sdb1 /back\\134slash\\9x ext4 defaults # no comment";
        let found: Vec<String> = entries(text)
            .map(|entry| {
                let check = if entry.is_checked { "|checked" } else { "" };
                format!("{}|{}|{}|{}{check}", entry.device, entry.place, entry.fstype, entry.options)
            })
            .collect();
        assert_eq!(
            found,
            [
                "UUID=4a1b-22|/|ext4|errors=remount-ro|checked",
                "/dev/sda2|none|swap|sw",
                "LABEL=my disk|/srv/my files|xfs|defaults",
                "tmpfs|/|tmpfs|defaults",
                "/dev/sdb1|/back\\slash\\9x|ext4|defaults",
            ]
        );
    }

    #[test]
    fn only_what_must_change_changes() {
        let text = "# static\nUUID=a / ext4 errors=remount-ro 0 1\n\nUUID=b\t/boot/efi  vfat umask=0077 0 1\nc /boot ext2\nd /data ext4 x 0 2";
        let fate = |entry: &Entry<'_>| match &*entry.place {
            "/" => Fate::Leave("gone"),
            "/boot" | "/boot/efi" => Fate::ReadOnly("kept as it is"),
            _ => Fate::Stay,
        };
        assert_eq!(
            String::from_utf8(rewrite(text.as_bytes(), fate).unwrap()).unwrap(),
            "# static\n# gone\n# UUID=a / ext4 errors=remount-ro 0 1\n\n# kept as it is\nUUID=b /boot/efi vfat umask=0077,ro 0 1\n\
             # kept as it is\nc /boot ext2 ro\nd /data ext4 x 0 2"
        );
        let optional =
            rewrite(b"UUID=gone none swap sw 0 0\nd /data ext4", |_| Fate::Optional("gone:")).unwrap();
        assert_eq!(
            String::from_utf8(optional).unwrap(),
            "# gone:\nUUID=gone none swap sw,nofail,noauto 0 0\n# gone:\nd /data ext4 nofail\n"
        );
        assert_eq!(rewrite(text.as_bytes(), |_| Fate::Stay), None);
        let without: Vec<u8> = rewrite(b"a / ext4", |_| Fate::Leave("gone")).unwrap();
        assert_eq!(entries(&without).count(), 0);
    }
}
