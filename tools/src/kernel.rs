//! A kernel's module tree and the modprobe configuration on this machine.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use dayfly_formats::modules::{ConfFile, KernelFiles, Table};

/// Where installed kernels keep their modules.
const MODULES: &str = "/lib/modules";

/// The folders of modprobe.d(5), in order of precedence; `none` on the command line means no folder.
const MODPROBE_FOLDERS: &[&str] =
    &["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/lib/modprobe.d"];

/// Modules that kernel code requests itself, by running /sbin/modprobe, which Dayfly's initramfs does not have: character sets
/// for the default mount options, ciphers and hashes. As soft dependencies they are packed, and loaded before their user.
const REQUESTED: (&str, &str) = (
    "zz-requested-by-the-kernel.conf",
    "softdep vfat pre: nls_cp437 nls_ascii nls_iso8859_1 nls_utf8\n\
     softdep isofs pre: nls_iso8859_1 nls_utf8\n\
     softdep dm_crypt pre: crypto-aes crypto-xts crypto-cbc crypto-essiv crypto-sha256\n\
     softdep dm_verity pre: crypto-sha256\n",
);

/// Which kernel, and where its modules and their configuration are.
#[derive(Debug, Args)]
pub struct KernelArgs {
    /// The kernel's release, as `uname -r` prints it [default: the one in /lib/modules, or the running one of several]
    #[arg(long, value_name = "RELEASE")]
    pub kernel: Option<String>,
    /// The folder of its modules [default: /lib/modules/RELEASE]
    #[arg(long, value_name = "DIR")]
    pub modules: Option<PathBuf>,
    /// A folder of modprobe configuration, or `none`; may be repeated [default: those of modprobe.d(5)]
    #[arg(long, value_name = "DIR")]
    pub modprobe_config: Vec<PathBuf>,
}

/// The contents of a module tree.
#[derive(Debug)]
pub struct Kernel {
    /// The kernel's release.
    pub release: String,
    /// The folder of its modules.
    pub folder: PathBuf,
    /// The table of its modules.
    pub table: Table,
}

impl KernelArgs {
    /// Finds the tree and reads it.
    pub fn open(&self) -> Result<Kernel> {
        let (release, folder) = self.locate()?;
        let dep = read_text(&folder.join("modules.dep"))?;
        if dep.is_empty() {
            bail!(
                "{}: modules.dep is missing or empty; run \"depmod {release}\", \
                 or install the kernel again",
                folder.display()
            );
        }
        let alias = read_text(&folder.join("modules.alias"))?;
        let softdep = read_text(&folder.join("modules.softdep"))?;
        let builtin = read_text(&folder.join("modules.builtin"))?;
        let builtin_modinfo = read(&folder.join("modules.builtin.modinfo"))?;
        let mut conf = self.read_conf()?;
        conf.push((REQUESTED.0.to_owned(), REQUESTED.1.to_owned()));
        let conf: Vec<ConfFile<'_>> = conf.iter().map(|(name, text)| ConfFile { name, text }).collect();
        let files = KernelFiles {
            release: &release,
            dep: &dep,
            alias: &alias,
            softdep: &softdep,
            builtin: &builtin,
            builtin_modinfo: &builtin_modinfo,
        };
        let table = Table::from_kernel(&files, &conf);
        Ok(Kernel { release, folder, table })
    }

    fn locate(&self) -> Result<(String, PathBuf)> {
        let (release, folder) = match (&self.kernel, &self.modules) {
            (Some(release), Some(folder)) => (release.clone(), folder.clone()),
            (Some(release), None) => (release.clone(), Path::new(MODULES).join(release)),
            (None, Some(folder)) => {
                let real = folder.canonicalize().with_context(|| {
                    format!(
                        "--modules {}: there is no such folder; give the folder that holds modules.dep",
                        folder.display()
                    )
                })?;
                let name = real.file_name().and_then(|name| name.to_str()).with_context(|| {
                    format!(
                        "--modules {}: its name is no kernel release; add --kernel RELEASE",
                        folder.display()
                    )
                })?;
                (name.to_owned(), real.clone())
            }
            (None, None) => {
                let release = default_release()?;
                let folder = Path::new(MODULES).join(&release);
                (release, folder)
            }
        };
        if !folder.is_dir() {
            bail!(
                "kernel {release}: there is no folder {}; installed: {}. Install the kernel's package, \
                 or name the folder with --modules",
                folder.display(),
                joined(&installed())
            );
        }
        Ok((release, folder))
    }

    fn read_conf(&self) -> Result<Vec<(String, String)>> {
        let none = self.modprobe_config.iter().any(|folder| folder.as_os_str() == "none");
        let folders: Vec<(PathBuf, bool)> = if none {
            if self.modprobe_config.len() > 1 {
                bail!("--modprobe-config none cannot be combined with a folder");
            }
            Vec::new()
        } else if self.modprobe_config.is_empty() {
            MODPROBE_FOLDERS.iter().map(|folder| (folder.into(), false)).collect()
        } else {
            self.modprobe_config.iter().map(|folder| (folder.clone(), true)).collect()
        };
        let mut files = Vec::new();
        for (folder, must_exist) in folders {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => continue,
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("cannot read the modprobe configuration in {}", folder.display())
                    });
                }
            };
            let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
            paths.sort();
            for path in paths.iter().filter(|path| path.extension().is_some_and(|ext| ext == "conf")) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                files.push((name, read_text(path)?));
            }
        }
        Ok(files)
    }
}

/// The only installed kernel, else the running one.
fn default_release() -> Result<String> {
    let installed = installed();
    if let [only] = installed.as_slice() {
        return Ok(only.clone());
    }
    let running = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let running = running.trim();
    match installed.iter().find(|release| *release == running) {
        Some(release) => Ok(release.clone()),
        None => bail!(
            "cannot choose a kernel; give --kernel RELEASE; installed in {MODULES}: {}",
            joined(&installed)
        ),
    }
}

/// The releases that have a modules.dep, sorted.
fn installed() -> Vec<String> {
    let Ok(entries) = fs::read_dir(MODULES) else { return Vec::new() };
    let mut releases: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("modules.dep").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    releases.sort();
    releases
}

fn joined(releases: &[String]) -> String {
    if releases.is_empty() { "none".to_owned() } else { releases.join(", ") }
}

/// The file's bytes; nothing if it does not exist.
fn read(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("{} is not UTF-8 text", path.display()))
}
