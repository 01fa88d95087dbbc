//! Which kernel the machine starts: the one given, the image's own, or this host's; and where its modules are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Where images and hosts have their modules; a release is a folder in it.
const MODULES: &[&str] = &["usr/lib/modules", "lib/modules"];

/// A kernel to start, and the modules that go into its initramfs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub release: String,
    /// The bzImage.
    pub file: PathBuf,
    /// The folder with `modules.dep`.
    pub modules: PathBuf,
    /// Folders of modprobe's configuration; none for those of this host.
    pub conf: Option<Vec<PathBuf>>,
    /// Whether it is the image's own, or this host's.
    pub of: &'static str,
}

/// The image's own kernel, if the image has its modules too. Otherwise one of the host: the one whose modules the image has, or else
/// the newest. `image` is the root of the image or the files extracted from it, `host` is `/`.
pub fn choose(image: &Path, host: &Path) -> Result<Kernel> {
    let mut own = kernels(image, "the image's own");
    own.sort_by_cached_key(|kernel| ordering(&kernel.release));
    if let Some(mut kernel) = own.pop() {
        let conf =
            ["etc/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d"].map(|folder| image.join(folder));
        kernel.conf = Some(conf.into_iter().filter(|folder| folder.is_dir()).collect());
        return Ok(kernel);
    }
    let mut found = kernels(host, "this host's");
    found.sort_by_cached_key(|kernel| {
        (module_folder(image, &kernel.release).is_some(), ordering(&kernel.release))
    });
    found.pop().with_context(|| {
        let unreadable = unreadable(host);
        if unreadable.is_empty() {
            "there is no kernel: neither the image has one (/usr/lib/modules/*/vmlinuz or /boot/vmlinuz-*, with its modules), nor \
             this host. Install one into the image or here: \"sudo apt-get install linux-image-amd64\", \
             \"sudo dnf install kernel-core\"; or give --kernel FILE --modules DIR"
                .to_owned()
        } else {
            format!(
                "the image has no kernel with its modules, and you cannot read this host's: {}. Make a copy: \
                 \"sudo install -m 644 {} vmlinuz\", and give --kernel vmlinuz; or run this as root",
                unreadable.join(", "),
                unreadable.last().map_or("", String::as_str)
            )
        }
    })
}

/// The kernel in that file, with its modules in a folder or, without one, in the image or on the host.
pub fn given(file: &Path, modules: Option<&Path>, image: &Path, host: &Path) -> Result<Kernel> {
    let release = release(file).with_context(|| format!("--kernel {}", file.display()))?;
    let found = match modules {
        Some(folder) => folder.join("modules.dep").is_file().then(|| folder.to_owned()),
        None => module_folder(image, &release).or_else(|| module_folder(host, &release)),
    };
    let modules = found.with_context(|| {
        format!("--kernel {}: its modules, those of {release}, are neither in the image nor in /lib/modules here; \
                 name their folder, which has a modules.dep, with --modules DIR", file.display())
    })?;
    Ok(Kernel { release, file: file.to_owned(), modules, conf: None, of: "yours" })
}

/// Whether the image has modules of this kernel, from which its OS loads drivers.
pub fn has_modules(image: &Path, release: &str) -> bool {
    MODULES.iter().any(|folder| image.join(folder).join(release).is_dir())
}

/// The kernels below a root that can be read and have their modules there.
fn kernels(root: &Path, of: &'static str) -> Vec<Kernel> {
    let with_modules = |file: PathBuf| {
        let release = release(&file).ok()?;
        let modules = module_folder(root, &release)?;
        Some(Kernel { release, file, modules, conf: None, of })
    };
    files(root).into_iter().filter_map(with_modules).collect()
}

/// The files that may be kernels: `vmlinuz` beside modules, `vmlinuz-*` and `vmlinuz` in /boot.
fn files(root: &Path) -> Vec<PathBuf> {
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let beside = MODULES
        .iter()
        .flat_map(|folder| entries(root.join(folder)))
        .map(|entry| entry.path().join("vmlinuz"));
    let boot = entries(root.join("boot"))
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("vmlinuz"))
        .map(|entry| entry.path());
    let mut found: Vec<PathBuf> = beside.chain(boot).filter(|file| is_plain(file)).collect();
    found.sort();
    found
}

/// Whether a file is no symbolic link: a link of an image may lead anywhere on this host.
fn is_plain(file: &Path) -> bool {
    fs::symlink_metadata(file).is_ok_and(|meta| meta.is_file())
}

fn unreadable(root: &Path) -> Vec<String> {
    let refused = |file: &PathBuf| fs::File::open(file).is_err();
    files(root).iter().filter(|file| refused(file)).map(|file| file.display().to_string()).collect()
}

fn module_folder(root: &Path, release: &str) -> Option<PathBuf> {
    let folders = MODULES.iter().map(|folder| root.join(folder).join(release));
    folders.into_iter().find(|folder| folder.join("modules.dep").is_file())
}

/// What `uname -r` will print, from the kernel's header (the kernel's Documentation/arch/x86/boot.rst: `kernel_version`).
pub fn release(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    ensure!(
        !bytes.get(0x38..).is_some_and(|rest| rest.starts_with(b"ARM\x64")),
        "{} is a kernel for arm64; dayfly try runs x86-64 only",
        file.display()
    );
    release_in(&bytes).with_context(|| format!("{} is no Linux kernel for x86", file.display()))
}

fn release_in(bytes: &[u8]) -> Option<String> {
    bytes.get(0x202..)?.starts_with(b"HdrS").then_some(())?;
    let pointer = bytes.get(0x20E..0x210)?;
    let text = bytes.get(0x200 + usize::from(u16::from_le_bytes(pointer.try_into().ok()?))..)?;
    let end = text.iter().position(|byte| matches!(byte, b' ' | 0))?;
    let release = std::str::from_utf8(text.get(..end)?).ok()?;
    // The release becomes part of a path.
    (!release.is_empty() && !release.starts_with('.') && !release.contains('/')).then(|| release.to_owned())
}

/// Splits a release so that numbers compare as numbers.
fn ordering(release: &str) -> Vec<(u64, String)> {
    release
        .split(['.', '-', '+', '~'])
        .map(|part| part.parse().map_or_else(|_| (0, part.to_owned()), |number| (number, String::new())))
        .collect()
}

/// Refuses an OS for another machine, by a program that every OS has.
pub fn check_machine(image: &Path) -> Result<()> {
    for program in ["usr/bin/sh", "bin/sh", "usr/bin/busybox", "bin/busybox", "usr/bin/bash", "usr/bin/dash"]
    {
        let path = image.join(program);
        if !is_plain(&path) {
            continue;
        }
        let Ok(bytes) = fs::read(&path) else { continue };
        if let Ok(file) = object::File::parse(bytes.as_slice()) {
            use object::Object;
            let machine = file.architecture();
            if !matches!(machine, object::Architecture::X86_64 | object::Architecture::I386) {
                bail!("the image is for {machine:?} (its /{program} says so); dayfly try runs x86-64 only");
            }
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bzimage(release: &str) -> Vec<u8> {
        let mut bytes = vec![0; 0x300];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20E..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        bytes.extend(format!("{release} (me@here) #1 SMP\0").bytes());
        bytes
    }

    fn put(root: &Path, path: &str, bytes: &[u8]) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        fs::write(file, bytes).expect("a file");
    }

    #[test]
    fn a_kernel_says_its_release() {
        assert_eq!(release_in(&bzimage("6.1.0-9-amd64")), Some("6.1.0-9-amd64".to_owned()));
        for other in [bzimage(""), bzimage("../x"), bzimage("6/1"), vec![0; 0x400], Vec::new()] {
            assert_eq!(release_in(&other), None);
        }
    }

    /// Kernels of the image and of the host, and whose is taken.
    #[test]
    fn the_images_own_comes_first_and_then_the_hosts() {
        const DEP: &str = "";
        type Files = &'static [(&'static str, &'static str)];
        struct Row(Files, Files, Option<&'static str>);
        let host: Files = &[
            ("boot/vmlinuz-6.1", "6.1"),
            ("lib/modules/6.1/modules.dep", DEP),
            ("boot/vmlinuz-6.10", "6.10"),
            ("lib/modules/6.10/modules.dep", DEP),
        ];
        let table = [
            Row(
                &[("usr/lib/modules/5.9/vmlinuz", "5.9"), ("usr/lib/modules/5.9/modules.dep", DEP)],
                host,
                Some("image usr/lib/modules/5.9/vmlinuz"),
            ),
            Row(
                &[("boot/vmlinuz-5.9", "5.9"), ("lib/modules/5.9/modules.dep", DEP)],
                host,
                Some("image boot/vmlinuz-5.9"),
            ),
            Row(
                &[("boot/vmlinuz-virt", "5.9-virt"), ("lib/modules/5.9-virt/modules.dep", DEP)],
                host,
                Some("image boot/vmlinuz-virt"),
            ),
            // without its modules it is of no use
            Row(&[("boot/vmlinuz-5.9", "5.9")], host, Some("host boot/vmlinuz-6.10")),
            Row(&[], host, Some("host boot/vmlinuz-6.10")),
            // the image's modules are those of an older one that the host has too
            Row(&[("usr/lib/modules/6.1/modules.dep", DEP)], host, Some("host boot/vmlinuz-6.1")),
            Row(&[], &[("boot/vmlinuz-6.1", "6.1")], None),
            Row(&[], &[], None),
        ];
        for (index, Row(image, host, expected)) in table.into_iter().enumerate() {
            let folder = tempfile::tempdir().expect("a folder");
            for (root, files) in [("image", image), ("host", host)] {
                fs::create_dir_all(folder.path().join(root)).expect("a folder");
                for (path, release) in files {
                    let bytes = if path.ends_with("/modules.dep") { Vec::new() } else { bzimage(release) };
                    put(&folder.path().join(root), path, &bytes);
                }
            }
            let chosen = choose(&folder.path().join("image"), &folder.path().join("host"));
            let relative = chosen.as_ref().ok().map(|kernel| {
                kernel
                    .file
                    .strip_prefix(folder.path())
                    .expect("below")
                    .display()
                    .to_string()
                    .replacen('/', " ", 1)
            });
            assert_eq!(relative.as_deref(), expected, "row {index}: {chosen:?}");
        }
    }

    #[test]
    fn a_given_kernel_needs_its_modules() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        put(root, "vmlinuz", &bzimage("6.6"));
        let file = root.join("vmlinuz");
        let refused = given(&file, None, root, root).expect_err("no modules").to_string();
        assert!(refused.contains("those of 6.6") && refused.contains("--modules DIR"), "{refused}");
        put(root, "lib/modules/6.6/modules.dep", b"");
        assert_eq!(given(&file, None, root, root).expect("found").modules, root.join("lib/modules/6.6"));
        put(root, "m/modules.dep", b"");
        assert_eq!(given(&file, Some(&root.join("m")), root, root).expect("found").modules, root.join("m"));
        put(root, "arm", &[vec![0; 0x38], b"ARM\x64".to_vec()].concat());
        let refused =
            format!("{:#}", given(&root.join("arm"), None, root, root).expect_err("another machine"));
        assert!(refused.contains("x86-64 only"), "{refused}");
    }
}
