//! The kernel modules for a device, and the order in which they are loaded. The builder and PID 1 use the same code.
//!
//! The rules are those of libkmod (modprobe(8), modprobe.d(5), depmod's `modules.*` files).
//! `tests/tests/modules_oracle.rs` compares the results with libkmod for the whole module tree of a distribution
//! kernel:
//! - names and aliases are compared with `-` as `_`; aliases are fnmatch(3) patterns;
//! - a lookup searches these in order and stops at the first match: `alias` lines of the configuration, module names,
//!   `install` lines, `modules.alias`, built-in modules, aliases of built-in modules;
//! - dependencies are loaded from the right-most to the left-most; soft dependencies around their module, and only the
//!   first `softdep` line of a module counts; `modules.softdep` is one of the configuration files, sorted by name;
//! - a blacklist keeps aliases from choosing a module; it does not keep it from being loaded by name or as a dependency.
//!
//! One difference: `install` lines that run anything but `true` or `false` are reported and not run.

mod aliases;
mod conf;
mod glob;
mod index;
mod left_out;
mod order;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use aliases::AliasSet;
use conf::Conf;
pub use conf::ConfFile;
pub use glob::{matches, normalize};
pub use index::IndexError;
use left_out::LeftOut;

/// The contents of depmod's files of one kernel, `/lib/modules/<release>/modules.*`. A missing file is an empty string.
#[derive(Debug, Clone, Copy, Default)]
pub struct KernelFiles<'a> {
    /// The kernel release, as `uname -r` prints it.
    pub release: &'a str,
    /// `modules.dep`
    pub dep: &'a str,
    /// `modules.alias`
    pub alias: &'a str,
    /// `modules.softdep`
    pub softdep: &'a str,
    /// `modules.builtin`
    pub builtin: &'a str,
    /// `modules.builtin.modinfo`: `module.key=value`, each terminated by a NUL.
    pub builtin_modinfo: &'a [u8],
}

/// A module that has a file.
#[derive(Debug, Clone)]
struct Module {
    name: String,
    path: String,
    /// Paths or names, separated by spaces, as in modules.dep: all direct and indirect dependencies.
    deps: String,
}

/// The modules of one kernel, their aliases, dependencies and configuration.
#[derive(Debug, Clone, Default)]
pub struct Table {
    release: String,
    modules: Vec<Module>,
    by_name: HashMap<String, usize>,
    aliases: AliasSet,
    builtin: Vec<String>,
    builtin_aliases: AliasSet,
    conf: Conf,
    left_out: LeftOut,
    notes: Vec<String>,
}

/// How a module file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `.ko`
    None,
    /// `.ko.gz`
    Gzip,
    /// `.ko.xz`
    Xz,
    /// `.ko.zst`
    Zstd,
}

impl Compression {
    /// The compression, from the file's name.
    pub fn of(path: &str) -> Self {
        match path.rsplit('.').next() {
            Some("gz") => Self::Gzip,
            Some("xz") => Self::Xz,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The suffix of the file's name: `.zst`, or nothing.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Xz => ".xz",
            Self::Zstd => ".zst",
        }
    }
}

/// One module to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The name with underscores, `virtio_net`.
    pub name: String,
    /// The file, relative to `/lib/modules/<release>/` (or absolute, if it is absolute in modules.dep).
    pub path: String,
    /// The parameters for finit_module(2): `index=-2 debug=1`, or empty.
    pub params: String,
    /// `true` for the requested module and its dependencies. `false` for soft dependencies, which may fail.
    pub required: bool,
}

/// Why a module cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleError {
    /// There is no file, and it is not built in.
    NotFound {
        /// The requested name.
        name: String,
        /// The kernel release of the table.
        release: String,
    },
    /// An `install NAME /bin/true` or `/bin/false` line forbids it.
    Disabled {
        /// The forbidden module.
        name: String,
        /// The requested module: the same, or one that depends on it.
        wanted: String,
    },
    /// modules.dep names a dependency that has no line itself.
    DependencyMissing {
        /// The requested module.
        name: String,
        /// Its missing dependency.
        dependency: String,
    },
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { name, release } => {
                write!(f, "kernel {release} has no module {name:?}, neither as a file nor built in")
            }
            Self::Disabled { name, wanted } if name == wanted => {
                write!(f, "module {name} is disabled by an install line of modprobe.d")
            }
            Self::Disabled { name, wanted } => {
                write!(f, "module {wanted} needs {name}, which an install line of modprobe.d disables")
            }
            Self::DependencyMissing { name, dependency } => {
                write!(f, "module {name} needs {dependency}, which modules.dep does not list; run depmod")
            }
        }
    }
}

impl std::error::Error for ModuleError {}

impl Table {
    /// Reads depmod's files and the configuration.
    ///
    /// `conf`: the files of `/etc/modprobe.d`, `/run/modprobe.d`, `/usr/local/lib/modprobe.d`, `/lib/modprobe.d`, in
    /// this order of directories. They are sorted by name here, and the first of equal names counts. Never fails:
    /// [`Table::notes`] lists invalid parts.
    pub fn from_kernel(files: &KernelFiles<'_>, conf: &[ConfFile<'_>]) -> Self {
        let mut table = Self { release: files.release.to_owned(), ..Self::default() };
        table.read_dep(files.dep);
        table.aliases = AliasSet::with_capacity(files.alias.len());
        read_aliases(files.alias, &mut table.aliases, "modules.alias", &mut table.notes);
        table.builtin = files.builtin.lines().filter_map(module_name).map(Cow::into_owned).collect();
        table.builtin.sort_unstable();
        table.read_builtin_modinfo(files.builtin_modinfo);

        let mut sorted: Vec<ConfFile<'_>> = Vec::with_capacity(conf.len().saturating_add(1));
        for file in conf {
            if !sorted.iter().any(|earlier| earlier.name == file.name) {
                sorted.push(*file);
            }
        }
        sorted.push(ConfFile { name: "modules.softdep", text: files.softdep });
        sorted.sort_by_key(|file| file.name);
        for file in sorted {
            table.conf.read(file);
        }
        table.notes.append(&mut table.conf.notes);
        table
    }

    /// Adds a kernel parameter: `module.parameter=value` is an option of that module, and `modprobe.blacklist=a,b`
    /// extends the blacklist. Everything else is ignored.
    pub fn add_parameter(&mut self, key: &str, value: Option<&str>) {
        self.conf.parameter(key, value);
    }

    /// The kernel release.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// Invalid or unsupported parts of the files, as complete sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The names of all modules that have a file, in the order of modules.dep.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(|module| module.name.as_str())
    }

    /// Whether the kernel has it built in.
    pub fn is_builtin(&self, name: &str) -> bool {
        normalize(name).is_some_and(|name| self.builtin.binary_search(&name).is_ok())
    }

    /// Whether there is a file for it.
    pub fn has(&self, name: &str) -> bool {
        self.module(name).is_some()
    }

    /// The file of a module, relative to `/lib/modules/<release>/`.
    pub fn path(&self, name: &str) -> Option<&str> {
        self.module(name).map(|module| module.path.as_str())
    }

    /// The modules for a modalias (`pci:v00001AF4d…`), an alias (`crypto-crc32c`) or a name, in modprobe's order. Empty
    /// if there is none. Names of built-in modules are also found.
    ///
    /// A blacklisted module is left out if it was found by alias.
    pub fn lookup(&self, modalias_or_name: &str) -> Vec<String> {
        let (names, by_alias) = self.find(modalias_or_name);
        names.into_iter().filter(|name| !by_alias || !self.conf.blacklist.contains(name)).collect()
    }

    /// As [`Table::lookup`] without the blacklist, and whether the modules were found by alias.
    fn find(&self, given: &str) -> (Vec<String>, bool) {
        let Some(alias) = normalize(given) else { return (Vec::new(), false) };
        let mut configured: Vec<String> = Vec::new();
        for (pattern, module) in &self.conf.aliases {
            if matches(pattern.as_bytes(), alias.as_bytes()) && !configured.contains(module) {
                configured.push(module.clone());
            }
        }
        if !configured.is_empty() {
            return (configured, true);
        }
        if self.by_name.contains_key(&alias) || self.conf.never.contains(&alias) {
            return (vec![alias], false);
        }
        for set in [&self.aliases, &self.builtin_aliases] {
            let found: Vec<String> = set.lookup(&alias).into_iter().map(str::to_owned).collect();
            if !found.is_empty() {
                return (found, true);
            }
            if self.builtin.binary_search(&alias).is_ok() {
                return (vec![alias], false);
            }
        }
        (Vec::new(), false)
    }

    fn module(&self, name: &str) -> Option<&Module> {
        let index = match self.by_name.get(name) {
            Some(index) => Some(index),
            None => self.by_name.get(&normalize(name)?),
        };
        self.modules.get(*index?)
    }

    fn read_dep(&mut self, dep: &str) {
        for line in dep.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let parts = line.split_once(':');
            let Some((path, deps, name)) =
                parts.and_then(|(path, deps)| Some((path, deps, module_name(path)?.into_owned())))
            else {
                self.notes
                    .push(format!("modules.dep: {line:?} is not \"path: dependencies\"; it is ignored"));
                continue;
            };
            // depmod has already chosen between modules with the same name, so the first line can be used.
            if self.by_name.contains_key(&name) {
                self.notes
                    .push(format!("modules.dep: there is more than one module {name}; {path} is ignored"));
                continue;
            }
            self.by_name.insert(name.clone(), self.modules.len());
            self.modules.push(Module { name, path: path.to_owned(), deps: deps.trim().to_owned() });
        }
    }

    fn read_builtin_modinfo(&mut self, modinfo: &[u8]) {
        for record in modinfo.split(|b| *b == 0) {
            let Ok(record) = std::str::from_utf8(record) else { continue };
            // Most records have other keys: licence, author, parameters.
            let Some((module, alias)) = record.split_once(".alias=") else { continue };
            if !module.contains('=') && !self.builtin_aliases.push(alias, module) {
                self.notes.push(format!("modules.builtin.modinfo: {alias:?} is not an alias; it is ignored"));
            }
        }
    }
}

/// Reads `alias PATTERN MODULE` lines.
fn read_aliases(text: &str, set: &mut AliasSet, file: &str, notes: &mut Vec<String>) {
    for line in text.lines() {
        let Some(pair) = line.strip_prefix("alias ") else {
            if !line.is_empty() && !line.starts_with('#') {
                notes.push(format!("{file}: {line:?} is not an alias line; it is ignored"));
            }
            continue;
        };
        // A pattern may contain spaces, but a module name cannot.
        let added =
            pair.trim_end().rsplit_once(' ').is_some_and(|(pattern, module)| set.push(pattern, module));
        if !added {
            notes.push(format!("{file}: {line:?} is not \"alias pattern module\"; it is ignored"));
        }
    }
}

/// The module's name from its file: `kernel/drivers/net/virtio-net.ko.xz` is `virtio_net`. `None` if it is empty.
fn module_name(path: &str) -> Option<Cow<'_, str>> {
    let file = path.trim().rsplit('/').next()?;
    let stem = file.split('.').next().filter(|stem| !stem.is_empty())?;
    Some(if stem.contains('-') { Cow::Owned(stem.replace('-', "_")) } else { Cow::Borrowed(stem) })
}

#[cfg(test)]
mod tests;
