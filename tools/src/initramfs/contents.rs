//! Puts the image together, part by part.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use dayfly_plan::paths;

use super::archive::{Archive, Node};
use super::report::Part;
use super::selection::Selection;
use super::{firmware, module_file, program};
use crate::kernel::Kernel;
use crate::progress::Progress;

/// The applets of the packed busybox that get a symbolic link.
const APPLETS: &[&str] = &[
    "sh",
    "ash",
    "awk",
    "blkid",
    "cat",
    "chroot",
    "cp",
    "cut",
    "date",
    "dd",
    "df",
    "dmesg",
    "echo",
    "env",
    "find",
    "free",
    "grep",
    "head",
    "hexdump",
    "hostname",
    "ip",
    "kill",
    "less",
    "ln",
    "ls",
    "lsmod",
    "mkdir",
    "mknod",
    "more",
    "mount",
    "mv",
    "nc",
    "nslookup",
    "ping",
    "poweroff",
    "ps",
    "reboot",
    "rm",
    "sed",
    "sleep",
    "sort",
    "stat",
    "switch_root",
    "sync",
    "tail",
    "tar",
    "tee",
    "top",
    "touch",
    "umount",
    "uname",
    "vi",
    "wc",
    "wget",
    "xargs",
];

/// The contents of the image.
#[derive(Debug)]
pub struct Contents {
    pub archive: Archive,
    pub parts: Vec<Part>,
    pub notes: Vec<String>,
    /// The youngest time of any input, in seconds since 1970.
    newest: u64,
}

impl Contents {
    /// The folders and device nodes that the kernel and the init expect before anything is mounted.
    pub fn new() -> Result<Self> {
        let mut archive = Archive::default();
        for folder in ["/dev", "/etc", "/lib", "/proc", "/run", "/sys", "/tmp"] {
            archive.directory(folder)?;
        }
        // Without /dev/console in the archive, process 1 starts without standard input and output.
        archive.add("/dev/console", 0o600, Node::CharDevice(5, 1))?;
        archive.add("/dev/null", 0o666, Node::CharDevice(1, 3))?;
        archive.add("/dev/kmsg", 0o644, Node::CharDevice(1, 11))?;
        Ok(Self { archive, parts: Vec::new(), notes: Vec::new(), newest: 0 })
    }

    /// The program that becomes process 1.
    pub fn init(&mut self, path: &Path) -> Result<Vec<u8>> {
        let bytes = program::read("--init", path)?;
        self.saw(path)?;
        self.put("init", "/init", 0o755, bytes.clone())?;
        Ok(bytes)
    }

    /// A static busybox for the rescue shell.
    pub fn shell(&mut self, path: &Path) -> Result<()> {
        let bytes = program::read("--shell", path)?;
        self.saw(path)?;
        self.put("shell", "/bin/busybox", 0o755, bytes)?;
        for applet in APPLETS {
            self.archive.add(&format!("/bin/{applet}"), 0o777, Node::Symlink("busybox".into()))?;
        }
        Ok(())
    }

    /// Adds the modules, unpacked, and their index. Refuses an `init` that is built for another machine.
    pub fn modules(
        &mut self,
        kernel: &Kernel,
        selection: &Selection,
        init: &[u8],
        firmware_folder: Option<&Path>,
        progress: &Progress,
    ) -> Result<()> {
        let base = format!("/lib/modules/{}", kernel.release);
        self.archive.directory(&base)?;
        let step =
            progress.step(&format!("reading {} modules", selection.files.len()), selection.files.len());
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (i, (source, target)) in selection.files.iter().enumerate() {
            let path = kernel.folder.join(source);
            let bytes = module_file::read(&path)?;
            self.saw(&path)?;
            if i == 0 {
                program::check_machine("--init", init, &bytes)?;
            }
            for name in module_file::firmware(&bytes) {
                wanted.entry(stem(target).to_owned()).or_default().insert(name);
            }
            let target = target.trim_start_matches('/');
            self.put(group(target), &format!("{base}/{target}"), 0o644, bytes)?;
            step.tick();
        }
        drop(step);
        let index = selection.table.encode();
        self.put("module index", paths::MODULE_INDEX, 0o644, index.into_bytes())?;
        self.notes.extend(selection.notes.iter().cloned());
        self.firmware(&wanted, firmware_folder)
    }

    fn firmware(&mut self, wanted: &BTreeMap<String, BTreeSet<String>>, folder: Option<&Path>) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let Some(folder) = folder else {
            let modules: Vec<&str> = wanted.keys().map(String::as_str).collect();
            self.notes.push(format!(
                "these modules can ask for firmware, and the image has none (--firmware DIR packs it): {}",
                modules.join(" ")
            ));
            return Ok(());
        };
        let mut missing: BTreeSet<&str> = BTreeSet::new();
        let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
        for (module, names) in wanted {
            let files: Vec<_> = names.iter().flat_map(|name| firmware::find(folder, name)).collect();
            if files.is_empty() {
                missing.insert(module);
            }
            found.extend(files);
        }
        for (name, path) in found {
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read the firmware {}", path.display()))?;
            self.saw(&path)?;
            self.put("firmware", &format!("/lib/firmware/{name}"), 0o644, bytes)?;
        }
        if !missing.is_empty() {
            let missing: Vec<&str> = missing.into_iter().collect();
            self.notes.push(format!("{} has no firmware for: {}", folder.display(), missing.join(" ")));
        }
        Ok(())
    }

    /// A text or data file of the image that comes from one file here.
    pub fn copy(&mut self, part: &'static str, option: &str, source: &Path, target: &str) -> Result<()> {
        let bytes =
            fs::read(source).with_context(|| format!("{option}: cannot read {}", source.display()))?;
        self.saw(source)?;
        self.put(part, target, 0o644, bytes)
    }

    /// `--add-file SRC:DST`: a file, a symbolic link, or a folder with all that is in it.
    pub fn added(&mut self, source: &Path, target: &str) -> Result<()> {
        let failed = || format!("--add-file {}:{target}", source.display());
        let meta = fs::symlink_metadata(source).with_context(failed)?;
        let kind = meta.file_type();
        if kind.is_symlink() {
            let link = fs::read_link(source).with_context(failed)?;
            let link = link.to_str().with_context(failed)?.to_owned();
            return self.archive.add(target, 0o777, Node::Symlink(link));
        }
        let mode = meta.permissions().mode() & 0o7777;
        if kind.is_file() {
            let bytes = fs::read(source).with_context(failed)?;
            self.saw(source)?;
            return self.put("added files", target, mode, bytes);
        }
        if !kind.is_dir() {
            bail!("--add-file {}: it is neither a file, a folder nor a symbolic link", source.display());
        }
        self.archive.add(target, mode, Node::Directory)?;
        let entries = fs::read_dir(source).with_context(failed)?;
        let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
        names.sort();
        for name in names {
            let child = name
                .to_str()
                .with_context(|| format!("the name {} is not UTF-8", name.display()))
                .with_context(failed)?;
            self.added(&source.join(&name), &format!("{}/{child}", target.trim_end_matches('/')))?;
        }
        Ok(())
    }

    /// Adds the image's build information and returns the image's time: `epoch`, or else that of the youngest input.
    pub fn finish(&mut self, release: &str, epoch: Option<u64>) -> Result<u32> {
        let epoch = epoch.unwrap_or(self.newest);
        let time = u32::try_from(epoch)
            .with_context(|| format!("{epoch} s after 1970 is beyond what a cpio archive can hold"))?;
        let build = format!("epoch={epoch}\nkernel={release}\nversion={}\n", env!("CARGO_PKG_VERSION"));
        self.put("settings", paths::BUILD, 0o644, build.into_bytes())?;
        // systemd and its tools take a root with this file for an initramfs.
        let release = format!(
            "ID=dayfly\nNAME=Dayfly\nPRETTY_NAME=\"Dayfly {0} (initramfs)\"\nVERSION_ID={0}\n",
            env!("CARGO_PKG_VERSION")
        );
        self.put("settings", "/etc/initrd-release", 0o644, release.into_bytes())?;
        Ok(time)
    }

    fn put(&mut self, part: &'static str, path: &str, mode: u32, bytes: Vec<u8>) -> Result<()> {
        let size = bytes.len() as u64;
        self.archive.file(path, mode, bytes)?;
        match self.parts.iter_mut().find(|known| known.name == part) {
            Some(known) => {
                known.files += 1;
                known.bytes += size;
            }
            None => self.parts.push(Part { name: part, files: 1, bytes: size }),
        }
        Ok(())
    }

    fn saw(&mut self, path: &Path) -> Result<()> {
        let meta = fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?;
        // A time before 1970 counts as 1970.
        let age = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.newest = self.newest.max(age.as_secs());
        Ok(())
    }
}

/// The line of the size table for a module, by the module's folder.
fn group(path: &str) -> &'static str {
    const GROUPS: &[(&str, &str)] = &[
        ("kernel/drivers/net/", "modules: network"),
        ("kernel/net/", "modules: network"),
        ("kernel/drivers/infiniband/", "modules: network"),
        ("kernel/drivers/ata/", "modules: storage"),
        ("kernel/drivers/block/", "modules: storage"),
        ("kernel/drivers/cdrom/", "modules: storage"),
        ("kernel/drivers/md/", "modules: storage"),
        ("kernel/drivers/message/", "modules: storage"),
        ("kernel/drivers/mmc/", "modules: storage"),
        ("kernel/drivers/nvme/", "modules: storage"),
        ("kernel/drivers/scsi/", "modules: storage"),
        ("kernel/drivers/usb/storage/", "modules: storage"),
        ("kernel/fs/", "modules: file systems"),
    ];
    GROUPS
        .iter()
        .find(|(folder, _)| path.starts_with(folder))
        .map_or("modules: buses and other", |(_, name)| name)
}

fn stem(path: &str) -> &str {
    path.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or(path)
}
