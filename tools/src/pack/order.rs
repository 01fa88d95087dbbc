//! The order of files in an image: by package. An update changes packages, so its changes are then next to each other, and it
//! moves a few long ranges of the image instead of many short ones.
//!
//! Packages are those of dpkg (`/var/lib/dpkg/info/PACKAGE.list`, a path per line) and of apk (`/lib/apk/db/installed`, apk-tools:
//! a line `P:` names a package, `F:` a folder, `R:` a file in it). rpm keeps a database that only rpm reads.

use std::collections::{BTreeMap, HashMap};

use super::tree::Name;

const DPKG: (&[u8], &[u8]) = (b"var/lib/dpkg/info/", b".list");
const APK: [&[u8]; 2] = [b"lib/apk/db/installed", b"usr/lib/apk/db/installed"];
const RPM: [&[u8]; 2] = [b"var/lib/rpm/", b"usr/lib/sysimage/rpm/"];

/// The most links to follow in a path, as in the kernel.
const MOST_LINKS: usize = 40;

/// The lists of packages that a tree has.
#[derive(Debug, Default)]
pub struct Lists {
    /// The paths of each package, by its name.
    packages: BTreeMap<Name, Vec<Name>>,
    has_rpm: bool,
}

/// The place of each file that belongs to a package.
#[derive(Debug)]
pub struct Order(HashMap<Name, u32>);

impl Lists {
    /// Whether the file at this path is a list to add.
    pub fn want(&mut self, path: &[u8]) -> bool {
        self.has_rpm |= RPM.iter().any(|folder| path.starts_with(folder));
        package_of(path).is_some() || APK.contains(&path)
    }

    /// Adds the content of a list that is wanted.
    pub fn add(&mut self, path: &[u8], content: &[u8]) {
        match package_of(path) {
            Some(package) => drop(self.packages.insert(package.to_vec(), dpkg(content))),
            None => apk(content, &mut self.packages),
        }
    }

    /// Says that the tree's packages cannot be read.
    pub fn note(&self) -> Option<&'static str> {
        (self.has_rpm && self.packages.is_empty()).then_some(
            "the packages of rpm cannot be read here, so the image has its files in the order of their paths; a new version then has more new parts",
        )
    }

    /// The place of each file. `link` has the target of the symbolic link at a path; lists of packages name paths that go through
    /// links, such as `/bin` to `usr/bin`.
    pub fn order(&self, link: &dyn Fn(&[u8]) -> Option<Name>) -> Order {
        let (mut places, mut folders) = (HashMap::new(), HashMap::new());
        for (place, paths) in (0..).zip(self.packages.values()) {
            for path in paths {
                let at = path.iter().rposition(|byte| *byte == b'/');
                let (folder, name) = path.split_at(at.map_or(0, |at| at + 1));
                let real =
                    folders.entry(folder.to_vec()).or_insert_with(|| real_folder(folder, link)).as_ref();
                if let Some(real) = real {
                    // The first package wins: the second diverts the file, or shares a folder.
                    places.entry([real.as_slice(), name].concat()).or_insert(place);
                }
            }
        }
        Order(places)
    }
}

impl Order {
    /// The place of a file: that of its package, counted from 0. Files of no package are last.
    pub fn place(&self, path: &[u8]) -> u32 {
        self.0.get(path).copied().unwrap_or(u32::MAX)
    }
}

/// The package whose list of dpkg is at this path.
fn package_of(path: &[u8]) -> Option<&[u8]> {
    let name = path.strip_prefix(DPKG.0)?.strip_suffix(DPKG.1)?;
    (!name.is_empty() && !name.contains(&b'/')).then_some(name)
}

fn dpkg(content: &[u8]) -> Vec<Name> {
    let lines = content.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"/"));
    lines.filter(|path| !path.is_empty() && *path != b".").map(<[u8]>::to_vec).collect()
}

fn apk(content: &[u8], packages: &mut BTreeMap<Name, Vec<Name>>) {
    let (mut package, mut folder) = (Vec::new(), Vec::new());
    for line in content.split(|byte| *byte == b'\n') {
        match line {
            [b'P', b':', name @ ..] => {
                package = name.to_vec();
                folder.clear();
            }
            [b'F', b':', path @ ..] => folder = path.to_vec(),
            [b'R', b':', name @ ..] => {
                let path = if folder.is_empty() { name.to_vec() } else { [&folder, name].join(&b'/') };
                packages.entry(package.clone()).or_default().push(path);
            }
            _ => {}
        }
    }
}

/// The folder with its links resolved, and a slash at the end; empty for the root itself. `None` if its links go in a circle.
fn real_folder(folder: &[u8], link: &dyn Fn(&[u8]) -> Option<Name>) -> Option<Name> {
    let parts = |path: &[u8]| -> Vec<Name> {
        path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).rev().map(<[u8]>::to_vec).collect()
    };
    let (mut left, mut real, mut links) = (parts(folder), Vec::<Name>::new(), 0);
    while let Some(part) = left.pop() {
        match part.as_slice() {
            b"." => continue,
            b".." => {
                real.pop();
                continue;
            }
            _ => real.push(part),
        }
        if let Some(target) = link(&real.join(&b'/')) {
            links += 1;
            if links > MOST_LINKS {
                return None;
            }
            if target.starts_with(b"/") {
                real.clear();
            } else {
                real.pop();
            }
            left.extend(parts(&target));
        }
    }
    let mut real = real.join(&b'/');
    if !real.is_empty() {
        real.push(b'/');
    }
    Some(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(lists: &[(&str, &str)], links: &[(&str, &str)], paths: &[&str]) -> Vec<Option<u32>> {
        let mut all = Lists::default();
        for (path, content) in lists {
            assert!(all.want(path.as_bytes()), "{path}");
            all.add(path.as_bytes(), content.as_bytes());
        }
        let link = |path: &[u8]| {
            let found = links.iter().find(|(from, _)| from.as_bytes() == path);
            found.map(|(_, to)| to.as_bytes().to_vec())
        };
        let order = all.order(&link);
        let place = |path: &&str| Some(order.place(path.as_bytes())).filter(|place| *place != u32::MAX);
        paths.iter().map(place).collect()
    }

    #[test]
    fn files_of_dpkg_are_in_the_order_of_packages() {
        let lists = [
            ("var/lib/dpkg/info/zlib1g:amd64.list", "/.\n/usr\n/usr/lib/libz.so.1\n"),
            ("var/lib/dpkg/info/bash.list", "/.\n/bin\n/bin/bash\n/usr/share/a b\n"),
        ];
        let paths = ["bin/bash", "usr/share/a b", "usr/lib/libz.so.1", "etc/hostname"];
        assert_eq!(places(&lists, &[], &paths), [Some(0), Some(0), Some(1), None]);
    }

    #[test]
    fn files_of_apk_are_in_the_order_of_packages() {
        let text = "C:Q1x=\nP:musl\nV:1.2\nF:lib\nR:ld-musl.so.1\na:0:0:755\n\nP:busybox\nF:bin\nR:busybox\nF:\nR:init\n";
        let paths = ["bin/busybox", "init", "lib/ld-musl.so.1", "bin/sh"];
        for path in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
            assert_eq!(places(&[(path, text)], &[], &paths), [Some(0), Some(0), Some(1), None], "{path}");
        }
    }

    #[test]
    fn links_of_a_merged_usr_are_followed() {
        let lists = [("var/lib/dpkg/info/a.list", "/bin/ls\n/lib64/ld.so\n/loop/x\n/out/y\n")];
        let links = [("bin", "usr/bin"), ("lib64", "/usr/lib64"), ("loop", "loop"), ("out", "../../up")];
        let paths = ["usr/bin/ls", "usr/lib64/ld.so", "bin/ls", "loop/x", "up/y"];
        assert_eq!(places(&lists, &links, &paths), [Some(0), Some(0), None, None, Some(0)]);
    }

    #[test]
    fn other_files_are_no_lists() {
        let mut lists = Lists::default();
        for path in
            ["var/lib/dpkg/info/.list", "var/lib/dpkg/info/a.md5sums", "var/lib/dpkg/info/a/b.list", "etc"]
        {
            assert!(!lists.want(path.as_bytes()), "{path}");
        }
        assert_eq!(lists.note(), None);
        assert!(!lists.want(b"usr/lib/sysimage/rpm/rpmdb.sqlite") && lists.note().is_some());
    }
}
