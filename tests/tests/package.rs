//! The Debian packages, by the commands of docs/how-to/packages.md: built, installed in a Debian that has dracut, used, and removed.

mod namespace;

use std::fs;
use std::process::Command;

use dayfly_qemu::{dracut::Dracut, kernel::Kernel};
use dayfly_tests::docs::{block, root};
use namespace::{apart, run, shell};

const PAGE: &str = "docs/how-to/packages.md";

/// The installed files, beside those that dpkg itself manages.
const EXPECTED: [(&str, &[&str]); 3] = [
    (
        "dayfly_",
        &[
            "./usr/bin/dayfly",
            "./usr/share/man/man1/dayfly.1.gz",
            "./usr/share/man/man1/dayfly-try.1.gz",
            "./usr/share/doc/dayfly/docs/examples/fleet.toml",
            "./usr/share/doc/dayfly/copyright",
        ],
    ),
    ("dayfly-init_", &["./usr/lib/dayfly/init", "./usr/share/doc/dayfly-init/copyright"]),
    (
        "dracut-dayfly_",
        &["./usr/lib/dracut/modules.d/90dayfly/module-setup.sh", "./usr/share/doc/dracut-dayfly/copyright"],
    ),
];

#[test]
fn packages_install_work_and_go() {
    let target = std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root().join("target"), Into::into);
    let debian = target.join("debian");
    let _ = fs::remove_dir_all(&debian);
    let build = Command::new("bash")
        .args(["-euc", &block(PAGE, "with cargo-deb").text])
        .current_dir(root())
        .status()
        .expect("bash");
    assert!(build.success(), "cargo deb: {build}; `qemu/provision package` installs it");
    let ready: Vec<String> = fs::read_dir(&debian)
        .expect("packages were built")
        .map(|entry| entry.expect("an entry").path().to_str().expect("UTF-8").to_owned())
        .collect();
    for (name, files) in EXPECTED {
        let package =
            ready.iter().find(|path| path.rsplit('/').next().is_some_and(|file| file.starts_with(name)));
        let package = package.unwrap_or_else(|| panic!("no {name} in {ready:?}"));
        let list = run("dpkg-deb", &["--contents", package]);
        for file in files {
            assert!(
                list.lines().any(|line| line.ends_with(&format!(" {file}"))),
                "{file} is not in:\n{list}"
            );
        }
    }
    for (arch, machine) in [("amd64", "3e00"), ("arm64", "b700")] {
        let of = |name: &str| {
            let fits = |path: &&String| {
                path.contains(&format!("/{name}_")) && path.ends_with(&format!("_{arch}.deb"))
            };
            ready.iter().find(fits).unwrap_or_else(|| panic!("no {name} for {arch} in {ready:?}"))
        };
        for name in ["dayfly-init", "dracut-dayfly"] {
            assert_eq!(run("dpkg-deb", &["--field", of(name), "Architecture"]).trim(), arch, "{name}");
        }
        // The field e_machine of the program, elf(5).
        let program = format!(
            "dpkg-deb --fsys-tarfile '{}' | tar --extract --to-stdout ./usr/lib/dayfly/init | od -An -tx1 -j18 -N2 | tr -d ' \n'",
            of("dayfly-init"),
        );
        assert_eq!(shell(&program), machine, "the program for {arch}");
    }
    let tree = Dracut::Debian12.tree().expect("a Debian with dracut");
    let kernel = Kernel::of_host().expect("a kernel").version;
    let install = block(PAGE, "on the Debian that gets them").text.replace("sudo ", "");
    apart(|_, scratch| {
        let root = scratch.join("root");
        for folder in ["root", "upper", "work"] {
            fs::create_dir(scratch.join(folder)).unwrap();
        }
        shell(&format!(
            "cd '{0}' && mount -t overlay -o lowerdir='{1}',upperdir=upper,workdir=work overlay root &&
            for folder in proc sys dev; do mount --rbind /$folder root/$folder; done &&
            mount -t tmpfs run root/run &&
            mkdir -p root/target/debian root/lib/modules/{kernel} &&
            mount --bind '{2}' root/target/debian && mount --bind /lib/modules/{kernel} root/lib/modules/{kernel}",
            scratch.display(),
            tree.display(),
            debian.display(),
        ));
        let inside = |script: &str| {
            let root = root.to_str().expect("UTF-8");
            run("chroot", &[root, "/bin/sh", "-euc", script])
        };
        inside(&install);
        assert_eq!(inside("dpkg --audit"), "");
        assert!(inside("zcat /usr/share/man/man1/dayfly-explain.1.gz").contains(".SH SYNOPSIS"));
        assert_eq!(inside("dayfly --version"), format!("dayfly {}\n", env!("CARGO_PKG_VERSION")));
        assert!(
            inside("dayfly explain --cmdline root=live:http://boot/os.squashfs")
                .contains("exec the OS's init")
        );
        // The init is found at the package's path.
        inside(&format!(
            "dayfly initramfs --kernel {kernel} --profile virtio --ca-bundle none -o /tmp/own.img"
        ));
        assert!(inside("dracut --list-modules --no-kernel").lines().any(|line| line == "dayfly"));
        inside("dracut --force --no-kernel --no-hostonly --add dayfly /tmp/dracut.img");
        let list = inside("lsinitrd /tmp/dracut.img");
        for file in ["usr/lib/dayfly/init", "usr/lib/dracut/hooks/cmdline/28-parse-dayfly.sh"] {
            assert!(list.contains(file), "{file} is not in:\n{list}");
        }
        inside("dpkg --purge dayfly dracut-dayfly dayfly-init");
        inside(
            "test ! -e /usr/lib/dayfly && test ! -e /usr/lib/dracut/modules.d/90dayfly && test ! -e /usr/bin/dayfly",
        );
    });
}
