//! `dayfly image` with the real mksquashfs, mkfs.erofs and minisign.

#[path = "image/desk.rs"]
mod desk;
#[path = "image/mistakes.rs"]
mod mistakes;
#[path = "image/signed.rs"]
mod signed;
#[path = "image/versions.rs"]
mod versions;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use desk::{Desk, noise};

#[test]
fn an_image_is_built_shown_and_verified() {
    let desk = Desk::new();
    desk.tree("os", &["bash", "zlib"], 3);
    fs::write(desk.path("vmlinuz"), "kernel").unwrap();
    let said = desk.ok(&[
        "build",
        "os",
        "--output",
        "www",
        "--name",
        "debian-12",
        "--version",
        "7",
        "--kernel",
        "6.1.0-9-amd64",
        "--memory",
        "2G",
        "--architecture",
        "arm64",
        "--notes",
        "with a\nsecond line",
        "--companion",
        "kernel=vmlinuz",
    ]);
    assert!(said.contains("debian-12 version 7, arm64") && said.ends_with("www/debian-12.json\n"), "{said}");
    let shown: serde_json::Value =
        serde_json::from_str(&desk.ok(&["inspect", "--json", "www/debian-12.json"])).unwrap();
    for (pointer, wanted) in [
        ("/name", serde_json::json!("debian-12")),
        ("/version", serde_json::json!(7)),
        ("/architecture", serde_json::json!("arm64")),
        ("/kernel", serde_json::json!("6.1.0-9-amd64")),
        ("/memory", serde_json::json!(2_u64 << 30)),
        ("/notes", serde_json::json!("with a\nsecond line")),
        ("/layers/0/format", serde_json::json!("squashfs")),
        ("/companions/0/role", serde_json::json!("kernel")),
        ("/companions/0/title", serde_json::json!("vmlinuz")),
    ] {
        assert_eq!(shown.pointer(pointer), Some(&wanted), "{pointer}: {shown}");
    }
    let table = desk.ok(&["inspect", "www"]);
    assert!(table.contains("debian-12 version 7") && table.contains("6.1.0-9-amd64"), "{table}");
    for reference in
        ["www", "www:debian-12", "www:debian-12_v7", "www/debian-12.json", "www/debian-12_v7.json"]
    {
        let said = desk.ok(&["verify", reference]);
        assert!(said.contains(" is complete") && said.contains("not checked"), "{reference}: {said}");
    }
    // The layer has the tree, without what a node covers.
    let layer = desk.blob("www/debian-12.json", "/layers/0/digest");
    let listed = desk.shell(&format!("unsquashfs -l '{}'", layer.display()));
    assert!(
        listed.contains("squashfs-root/usr/lib/bash/0\n") && listed.contains("squashfs-root/proc\n"),
        "{listed}"
    );
    assert!(!listed.contains("proc/1") && !listed.contains("hidden"), "{listed}");
}

/// The files of a folder below `www`, by their paths.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    let desk = Desk::new();
    desk.tree("os", &["bash", "zlib", "apt"], 4);
    // The same files, created in another order, at another time.
    desk.shell("mkdir other && tar -C os -cf - $(cd os && ls -r) | tar -C other -xf - && touch -r os other");
    desk.shell("tar -C os -cf os.tar . && tar -C os --sort=name -czf other.tar.gz .");
    for (number, (one, two, more)) in
        [("os", "other", "squashfs"), ("os.tar", "other.tar.gz", "squashfs"), ("os", "other", "erofs")]
            .iter()
            .enumerate()
    {
        let (first, second) = (format!("first{number}"), format!("second{number}"));
        desk.ok(&["build", one, "--output", &first, "--name", "os", "--format", more]);
        // mksquashfs would write the second of its run.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        desk.ok(&["build", two, "--output", &second, "--name", "os", "--format", more]);
        let (first, second) = (contents(&desk.path(&first)), contents(&desk.path(&second)));
        assert!(first.len() >= 7, "{:?}", first.keys());
        assert!(first == second, "{one} {more}: {:?} {:?}", first.keys(), second.keys());
    }
}

#[test]
fn times_of_an_erofs_are_those_of_the_files() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    desk.shell("touch -d @2000 os/etc/hostname && echo old >os/etc/old && touch -d @500 os/etc/old");
    let build = &["build", "os", "--output", "www", "--name", "os", "--format", "erofs"];
    let output = desk.dayfly(build).env("SOURCE_DATE_EPOCH", "1000").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let layer = desk.blob("www/os.json", "/layers/0/digest");
    let time = |path: &str| desk.shell(&format!("TZ=UTC dump.erofs --path={path} '{}'", layer.display()));
    for (path, wanted) in [("/etc/hostname", "1970-01-01 00:16:40"), ("/etc/old", "1970-01-01 00:08:20")] {
        let said = time(path);
        assert!(said.contains(wanted), "{path}: {said}");
    }
    // Without it, the newest time of the tree is that of the file system alone.
    desk.ok(&["build", "os", "--output", "other", "--name", "os", "--format", "erofs"]);
    let other = desk.blob("other/os.json", "/layers/0/digest");
    let said = desk.shell(&format!("TZ=UTC dump.erofs --path=/etc/old '{}'", other.display()));
    assert!(said.contains("1970-01-01 00:08:20"), "{said}");
    assert!(!fs::read(&layer).unwrap().windows(7).any(|window| window == b".hidden"));
}

#[test]
fn newer_times_become_source_date_epoch() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    desk.shell("touch -d @2000 os/etc/hostname && touch -d @500 os/etc/old && cp -a os os2 && touch -d @3000 os2/etc/hostname");
    for (source, to) in [("os", "a"), ("os2", "b")] {
        let output = desk
            .dayfly(&["build", source, "--output", to, "--name", "os"])
            .env("SOURCE_DATE_EPOCH", "1000")
            .output();
        assert!(output.unwrap().status.success());
    }
    assert!(contents(&desk.path("a")) == contents(&desk.path("b")));
    let layer = desk.blob("a/os.json", "/layers/0/digest");
    let listed = desk.shell(&format!("TZ=UTC unsquashfs -lls '{}'", layer.display()));
    assert!(listed.contains("1970-01-01 00:16 squashfs-root/etc/hostname"), "{listed}");
    assert!(listed.contains("1970-01-01 00:08 squashfs-root/etc/old"), "{listed}");
}

/// Where each file's bytes are in an image. Noise cannot be compressed, so they are there as they are.
fn places(image: &[u8], files: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    for (name, content) in files {
        let at = image.windows(64).position(|window| window == &content[1000..1064]);
        found.push((at.unwrap_or_else(|| panic!("{name} is not there")), name));
    }
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name.to_owned()).collect()
}

#[test]
fn files_are_in_the_order_of_packages() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("os/usr/bin")).unwrap();
    fs::create_dir_all(desk.path("os/etc")).unwrap();
    fs::create_dir_all(desk.path("os/var/lib/dpkg/info")).unwrap();
    symlink("usr/bin", desk.path("os/bin")).unwrap();
    let mut files = Vec::new();
    for (number, name) in ["a", "b", "c c", "d"].into_iter().enumerate() {
        let content = noise(number as u64 + 1, 150_000);
        fs::write(desk.path("os/usr/bin").join(name), &content).unwrap();
        files.push((name.to_owned(), content));
    }
    let list = |package: &str, text: &str| {
        fs::write(desk.path("os/var/lib/dpkg/info").join(format!("{package}.list")), text).unwrap();
    };
    // `a` belongs to no package; a list names paths before /usr was merged, and folders.
    list("1st", "/.\n/usr\n/bin\n/bin/d\n/usr/bin/b\n");
    list("2nd:amd64", "/usr/bin\n/usr/bin/c c\n");
    desk.shell("tar -C os -cf os.tar .");
    for source in ["os", "os.tar"] {
        let to = format!("www-{source}");
        desk.ok(&["build", source, "--output", &to, "--name", "os"]);
        let image = fs::read(desk.blob(&format!("{to}/os.json"), "/layers/0/digest")).unwrap();
        assert_eq!(places(&image, &files), ["b", "d", "c c", "a"], "{source}");
    }
}

/// The spooled tar file keeps the headers of an entry with it, and a file before its other names.
#[test]
fn entries_of_an_archive_stay_whole() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    let long = "n".repeat(180);
    desk.shell(&format!(
        "cd os/usr && mkdir {long} && echo long >{long}/{long} && echo linked >z && ln z a && ln -s {long}/{long} s && mkfifo pipe && chmod 4750 z && touch -d @1000 z
         cd .. && tar --format=pax -cf ../pax.tar usr/z usr/a . && tar --format=gnu -cf ../gnu.tar usr/z usr/a ."
    ));
    desk.shell("rm -r os/proc/1 && mkdir os/proc/1 && cd os && find . -printf '%p %y %m %n %l\\n' | sort >../tree.txt");
    for source in ["pax.tar", "gnu.tar"] {
        let to = format!("www-{source}");
        desk.ok(&["build", source, "--output", &to, "--name", "os"]);
        let layer = desk.blob(&format!("{to}/os.json"), "/layers/0/digest");
        let (layer, there) = (layer.display(), format!("{to}.d"));
        desk.shell(&format!("unsquashfs -q -n -d '{there}' '{layer}' >/dev/null && diff -r --no-dereference os/usr/{long} '{there}/usr/{long}'"));
        desk.shell(&format!(
            "cd '{there}' && find . -printf '%p %y %m %n %l\\n' | sort | diff ../tree.txt -"
        ));
        let said = desk.shell(&format!("cd '{there}/usr' && stat -c %Y a && cat z"));
        assert_eq!(said, "1000\nlinked\n", "{source}");
    }
}

/// The bar of the project: an update that changes 5 % of the files moves at most 12 % of the bytes, in at most 40 requests.
#[test]
fn an_update_moves_what_changed() {
    let desk = Desk::new();
    let names: Vec<String> = (0..40).map(|number| format!("package{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    desk.tree("os", &names, 20);
    desk.ok(&["build", "os", "--output", "www"]);
    for package in ["package07", "package31"] {
        for file in 0..20 {
            let path = desk.path(&format!("os/usr/lib/{package}/{file}"));
            fs::write(path, noise(1000 + file, 21_000)).unwrap();
        }
    }
    let said = desk.ok(&["build", "os", "--output", "www"]);
    assert!(said.contains("new since version 1: "), "{said}");
    let said = desk.ok(&["diff", "www:os_v1", "www"]);
    let line = said.lines().last().unwrap();
    let number = |from: &str, to: &str| -> f64 {
        line.split(from).nth(1).and_then(|rest| rest.split(to).next()).unwrap().parse().unwrap()
    };
    let (percent, ranges) = (number("(", " %"), number(") in ", " range"));
    assert!((5.0..=12.0).contains(&percent) && (2.0..=40.0).contains(&ranges), "{said}");
    let said = desk.ok(&["diff", "www", "www/os_v2.json"]);
    assert!(said.contains("together: 0 B of ") && said.contains("(0.0 %) in 0 ranges\n"), "{said}");
    // Both versions are whole.
    desk.ok(&["verify", "www:os_v1"]);
    desk.ok(&["verify", "www"]);
}

#[test]
fn layers_lie_over_each_other() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    fs::create_dir_all(desk.path("site/opt")).unwrap();
    fs::write(desk.path("site/opt/file"), "site").unwrap();
    desk.shell("mksquashfs os made.squashfs -quiet -no-progress && mkfs.erofs --quiet made.erofs site");
    let said = desk.ok(&["build", "made.squashfs", "site", "made.erofs", "--output", "www"]);
    assert!(said.contains("made version 1"), "{said}");
    let shown: serde_json::Value = serde_json::from_str(&desk.ok(&["inspect", "--json", "www"])).unwrap();
    let formats: Vec<&str> =
        shown["layers"].as_array().unwrap().iter().map(|layer| layer["format"].as_str().unwrap()).collect();
    assert_eq!(formats, ["squashfs", "squashfs", "erofs"]);
    // A file system is taken as it is.
    let layer = desk.blob("www/made.json", "/layers/0/digest");
    assert!(fs::read(layer).unwrap() == fs::read(desk.path("made.squashfs")).unwrap());
    desk.ok(&["verify", "www"]);
    // An update of one layer moves that layer alone.
    fs::write(desk.path("site/opt/file"), "changed").unwrap();
    desk.ok(&["build", "made.squashfs", "site", "made.erofs", "--output", "www"]);
    let said = desk.ok(&["diff", "www:made_v1", "www"]);
    assert!(said.contains("layer 1, squashfs: 0 B of") && said.contains("layer 3, erofs: 0 B of"), "{said}");
    assert!(!said.contains("layer 2, squashfs: 0 B of"), "{said}");
}

/// The limit of a file's size ends mksquashfs in the same way as a full disk does: in the middle.
#[test]
fn what_is_not_finished_does_not_count() {
    let desk = Desk::new();
    desk.tree("os", &["bash", "zlib"], 8);
    desk.ok(&["build", "os", "--output", "www"]);
    let before = contents(&desk.path("www"));
    fs::write(desk.path("os/usr/lib/bash/0"), noise(99, 300_000)).unwrap();
    let script = format!("ulimit -f 64; exec '{}' image build os --output www", env!("CARGO_BIN_EXE_dayfly"));
    let output = Command::new("bash").args(["-c", &script]).current_dir(desk.path("")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("mksquashfs failed"), "{said}");
    assert!(contents(&desk.path("www")) == before);
    // Nor does what a build that was killed has left. The next one removes it.
    fs::create_dir(desk.path("www/.dayfly-build")).unwrap();
    fs::write(desk.path("www/.dayfly-build/layer"), "half").unwrap();
    desk.ok(&["verify", "www"]);
    let said = desk.ok(&["build", "os", "--output", "www"]);
    assert!(said.contains("os version 2"), "{said}");
    assert!(!desk.path("www/.dayfly-build").exists());
}

#[test]
fn one_build_at_a_time_writes_a_folder() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    desk.ok(&["build", "os", "--output", "www"]);
    let folder = fs::File::open(desk.path("www")).unwrap();
    rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let said = desk.refused(&["build", "os", "--output", "www"]);
    assert!(said.contains("another dayfly image is writing www"), "{said}");
    drop(folder);
    desk.ok(&["build", "os", "--output", "www"]);
}

/// A user may read the folder's files, but not that of root.
#[test]
fn a_server_may_read_every_file() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    desk.ok(&["keys", "new", "mine", "--no-password"]);
    desk.ok(&["build", "os", "--output", "www", "--sign", "mine.key"]);
    for name in contents(&desk.path("www")).keys() {
        let mode = fs::metadata(desk.path("www").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{name}");
    }
}
