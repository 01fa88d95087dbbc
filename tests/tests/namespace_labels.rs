//! SELinux labels of files that the boot makes, on real tmpfs and overlays. The kernel need not enforce a policy for this: labels are
//! xattrs, which the policy of the OS reads later. Whether a policy accepts them is not tested here.

mod namespace;

use std::path::Path;

use dayfly_sys::{Devices, Files, Mount, MountFlags, Tree, Writable};
use namespace::{apart, leaked, shell, tmpfs};

/// The type in the label of a path; empty if it has none.
fn label(path: &Path) -> String {
    let shown = path.display();
    shell(&format!("getfattr -h --only-values -n security.selinux {shown} 2>/dev/null || true"))
        .trim_matches(['\n', '\0'])
        .to_owned()
}

#[test]
fn what_is_made_has_the_label_of_what_it_replaces_or_of_its_folder() {
    apart(|kernel, scratch| {
        kernel.mount(&tmpfs(scratch)).unwrap();
        shell(&format!(
            "cd {}; mkdir -p image/etc image/var image/tmp rw os plain; touch image/etc/shadow image/etc/unlabelled
             label() {{ setfattr -n security.selinux -v \"$1\" \"$2\"; }}
             label root_t image; label etc_t image/etc; label var_t image/var; label tmp_t image/tmp; label shadow_t image/etc/shadow",
            scratch.display()
        ));
        let (image, writable) =
            (Tree::image(leaked(&scratch.join("image"))), Tree::plain(leaked(&scratch.join("rw"))));
        let os = Tree::os(leaked(&scratch.join("os")));
        for folder in ["u", "w"] {
            kernel.make_dir(&writable.at(folder), 0o755).unwrap();
        }
        kernel
            .mount(&Mount::Overlay {
                lower: vec![image.top()],
                writable: Some(Writable { upper: writable.at("u"), work: writable.at("w") }),
                target: os.place(),
            })
            .unwrap();
        kernel.write(&os.at("etc/shadow"), b"new", 0o600).unwrap();
        kernel.write(&os.at("etc/unlabelled"), b"new", 0o644).unwrap();
        kernel.write(&os.at("etc/more/new"), b"new", 0o644).unwrap();
        kernel.make_dir(&os.at("etc/folder"), 0o755).unwrap();
        kernel.symlink(Path::new("shadow"), &os.at("etc/link")).unwrap();
        kernel.symlink(Path::new("link"), &os.at("etc/link")).unwrap();
        kernel
            .mount(&Mount::New {
                fstype: "tmpfs".to_owned(),
                source: "tmpfs".to_owned(),
                target: os.at("tmp"),
                options: Vec::new(),
                flags: MountFlags::default(),
            })
            .unwrap();
        kernel.make_dir(&os.at("tmp/below"), 0o755).unwrap();
        let root = scratch.join("os");
        for (path, expected) in [
            ("", "root_t"),
            ("etc", "etc_t"),
            ("etc/shadow", "shadow_t"),
            // It has no label in the image, either.
            ("etc/unlabelled", "etc_t"),
            ("etc/more", "etc_t"),
            ("etc/more/new", "etc_t"),
            ("etc/folder", "etc_t"),
            ("etc/link", "etc_t"),
            ("var", "var_t"),
            ("tmp", "tmp_t"),
            ("tmp/below", "tmp_t"),
        ] {
            assert_eq!(label(&root.join(path)), expected, "/{path}");
        }
        // In a folder without labels, nothing gets one.
        kernel.write(&Tree::os(leaked(&scratch.join("plain"))).at("folder/file"), b"x", 0o644).unwrap();
        assert_eq!(label(&scratch.join("plain/folder/file")), "");
    });
}
