//! Arguments and sources that are refused, and what is said about them.

use super::contents;
use super::desk::Desk;

#[test]
fn each_mistake_has_its_message() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    desk.shell("mkdir -p gone/etc && touch gone/etc/.wh.hostname && tar -C gone -cf gone.tar . && tar -C os -cf cut.tar . && truncate -s 30000 cut.tar && tar -C os -czf cut.tar.gz . && truncate -s 30000 cut.tar.gz && mkdir empty x site && echo {} >site/index.json && echo words >file && head -c 5000 /dev/zero >zeros && mksquashfs os cut.squashfs -quiet -no-progress && truncate -s 4000 cut.squashfs && tar -C os -cf os.tar . && truncate -s 2M disk && mke2fs -q disk && touch nothing");
    desk.ok(&["build", "os", "--output", "www", "--version", "5"]);
    let before = contents(&desk.path("www"));
    for (args, wrong) in [
        (&["os", "--output", ""][..], "a value is required for '--output <DIR>'"),
        (&["os", "--output", "www", "--name", ""], "the name of the image is empty"),
        (&["os", "--output", "www", "--name", "my os"], "cannot be the name of an image"),
        (&["os", "--output", "www", "--name", "index"], "the layout's list of manifests"),
        (&["os", "--output", "www", "--version", "5"], "--version 5 is not above 5"),
        (
            &["os", "--output", "www", "--version", "0"],
            "a version is a whole number from 1 to 9007199254740991",
        ),
        (
            &["os", "--output", "www", "--companion", "cernel=file"],
            "unknown role \"cernel\"; there are boot-profile, kernel",
        ),
        (&["os", "--output", "www", "--companion", "kernel=missing"], "cannot read missing"),
        (&["os", "--output", "www", "--companion", "kernel=nothing"], "nothing is empty or no file"),
        (&["os", "--output", "www", "--memory", "2"], "a size has a unit"),
        (
            &["os", "--output", "www", "--notes", "\u{1b}[2J"],
            "\"notes\" is empty, too long, or has characters",
        ),
        (&["os", "--output", "www", "--architecture", "x y"], "unknown architecture; there are 386, amd64"),
        (&["os", "--output", "www", "--version", "1.2"], "a version is a whole number from 1 to"),
        (
            &["os", "--output", "www", "--kernel", "6 1"],
            "a kernel's release has 1 to 128 characters of ASCII and no blanks",
        ),
        (&["os", "--output", "os/www"], "and the source os ("),
        (&["os", "--output", "."], "are the same folder, or one is in the other"),
        (&["os", "--output", "site"], "site/index.json belongs to something else; choose another folder"),
        (&["missing", "--output", "www"], "there is no image missing"),
        (&["empty", "--output", "www"], "no root folder of an OS"),
        (&["os", "empty", "--output", "www"], "empty is an empty folder"),
        (&["file", "--output", "www"], "file is a text: expected a squashfs"),
        (&["nothing", "--output", "www"], "nothing is empty"),
        (&["cut.tar", "--output", "www"], "cannot pack cut.tar: it is truncated, or still being written"),
        (
            &["cut.tar.gz", "--output", "www"],
            "cannot pack cut.tar.gz: it is truncated, or still being written",
        ),
        (
            &["os", "gone.tar", "--output", "www"],
            "its whiteout etc/.wh.hostname removes files of the source below",
        ),
        (&["zeros", "--output", "www"], "zeros is only zeros at its start"),
        (&["cut.squashfs", "--output", "www"], "it is truncated"),
        (&["disk", "--output", "www"], "disk is a writable file system's image; an image is built of"),
        (&["os.tar", "--output", "www", "--format", "erofs"], "mkfs.erofs reads folders only"),
        (&["os", "--output", "file"], "cannot make file/blobs"),
        (
            &["os", "--output", "www", "--sign", "missing.key"],
            "cannot read the secret key (a text of 11 characters",
        ),
        (&["os", "--output", "www", "--sign", "file"], "file is no secret key of minisign"),
    ] {
        let args = [&["build"], args].concat();
        let said = desk.refused(&args);
        assert!(said.contains(wrong), "{args:?}: {said}");
    }
    for (args, wrong) in [
        (&["inspect", "missing"][..], "there is no image missing: expected the path"),
        (&["inspect", "x"], "x is no image layout"),
        (&["inspect", "file"], "file is not the manifest of an image"),
        (&["verify", "cut.squashfs"], "cut.squashfs is a squashfs, not a manifest"),
        (&["inspect", "os.tar"], "os.tar is a tar file, not a manifest"),
        (&["inspect", "www:other"], "www has no image other; there are os_v5, os"),
        (&["inspect", "www/index.json"], "is not the manifest of an image"),
        (
            &["verify", "www", "--key", "missing"],
            "--key (a text of 7 characters, which is not the path of a file",
        ),
        (&["verify", "www", "--key", "file"], "is not a public key of minisign"),
        (&["verify", "www", "--threshold", "1"], "--key"),
    ] {
        let said = desk.refused(args);
        assert!(said.contains(wrong), "{args:?}: {said}");
    }
    assert!(contents(&desk.path("www")) == before, "a refusal changed the folder");
    assert_eq!(contents(&desk.path("site")).len(), 1, "a refusal wrote into a site");
    assert!(!desk.path("os/www").exists());
    desk.ok(&["build", "os", "--output", "www", "--name", "second"]);
    let said = desk.refused(&["inspect", "www"]);
    assert!(
        said.contains("www has several images; choose one with a tag, as in www:os; there are os, second"),
        "{said}"
    );
}
