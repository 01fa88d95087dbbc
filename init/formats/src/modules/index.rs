//! The index that `dayfly initramfs` stores as `/lib/dayfly/modules.index`: a table reduced to one image.
//!
//! The first line is `dayfly-modules <version> <kernel release>`. Sections follow, each `[name length]`, a line break
//! and `length` bytes in the syntax of depmod or modprobe.d, so that the same parsers read the kernel's files and
//! Dayfly's: `dep`, `alias`, `builtin`, `builtin.alias`, `modprobe` and `left-out` (see `left_out.rs`).

use std::collections::HashSet;
use std::fmt::{self, Write};

use super::aliases::AliasSet;
use super::conf::{ConfFile, Softdep};
use super::left_out::{self, LeftOut};
use super::{Compression, Module, ModuleError, Table, module_name, read_aliases};

/// The version of the index that this code writes, and the only one it reads.
const VERSION: &str = "1";
const MAGIC: &str = "dayfly-modules";

/// Why a text is not an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexError {
    /// The first line is not `dayfly-modules <version> <release>`.
    NotAnIndex,
    /// Written by another version of the builder.
    Version {
        /// The version found.
        found: String,
    },
    /// A section's header is malformed or its body is incomplete.
    Damaged {
        /// The text at the expected header or body, at most 40 bytes.
        at: String,
    },
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnIndex => write!(
                f,
                "the module index does not start with \"{MAGIC} {VERSION} <kernel release>\"; \
                 build the initramfs again with dayfly initramfs"
            ),
            Self::Version { found } => write!(
                f,
                "the module index has version {found:?}, but this init only reads version {VERSION}; \
                 build the initramfs with the dayfly program of the same release as its init"
            ),
            Self::Damaged { at } => {
                write!(f, "the module index is damaged at {at:?}; build the initramfs again")
            }
        }
    }
}

impl std::error::Error for IndexError {}

impl Table {
    /// The table without these modules, as if the kernel did not have them.
    pub fn without(&self, names: &[&str]) -> Table {
        let mut table = self.clone();
        table.replace_modules(self.modules.iter().filter(|m| !names.contains(&m.name.as_str())).cloned());
        table
    }

    /// Reduces the table to `names` and everything that they load, with only the configuration for these modules. The
    /// aliases of the removed boot drivers are stored for [`Table::left_out`].
    ///
    /// Fails with the error of the first name that cannot be loaded. Names of built-in modules are valid.
    pub fn subset(&self, names: &[&str]) -> Result<Table, ModuleError> {
        let mut chosen: HashSet<String> = HashSet::new();
        for name in names {
            chosen.extend(self.load_order(name)?.into_iter().map(|load| load.name));
        }
        let mut table = Table {
            release: self.release.clone(),
            builtin: self.builtin.clone(),
            builtin_aliases: self.builtin_aliases.clone(),
            ..Table::default()
        };
        table.replace_modules(
            self.modules
                .iter()
                .filter(|m| chosen.contains(&m.name))
                .map(|m| Module { deps: short_deps(&m.deps, &chosen), ..m.clone() }),
        );
        for (pattern, module) in self.aliases.iter().filter(|(_, module)| chosen.contains(*module)) {
            table.aliases.push(pattern, module);
        }
        table.left_out = LeftOut::build(self.aliases.iter().filter(|(pattern, module)| {
            !chosen.contains(*module)
                && !self.conf.blacklist.iter().any(|name| name == module)
                && self.path(module).is_some_and(|path| left_out::is_worth(path, pattern))
        }));
        let conf = &self.conf;
        let ours = |name: &String| chosen.contains(name);
        table.conf.aliases.extend(
            conf.aliases.iter().filter(|(_, module)| ours(module) || self.is_builtin(module)).cloned(),
        );
        table.conf.options.extend(conf.options.iter().filter(|(module, _)| ours(module)).cloned());
        table.conf.blacklist.extend(conf.blacklist.iter().filter(|name| ours(name)).cloned());
        table.conf.never.extend(conf.never.iter().filter(|name| ours(name)).cloned());
        for module in &table.modules {
            let Some(softdep) = conf.softdep_of(&module.name) else { continue };
            let resolve = |aliases: &[String]| -> Vec<String> {
                aliases
                    .iter()
                    .flat_map(|alias| self.find(alias).0)
                    .filter(|name| chosen.contains(name))
                    .collect()
            };
            let softdep = Softdep {
                name: module.name.clone(),
                pre: resolve(&softdep.pre),
                post: resolve(&softdep.post),
            };
            if !(softdep.pre.is_empty() && softdep.post.is_empty()) {
                table.conf.softdeps.push(softdep);
            }
        }
        Ok(table)
    }

    /// The table with `.ko.xz`, `.ko.zst` and `.ko.gz` files renamed to `.ko`, for an image that stores them
    /// uncompressed.
    pub fn uncompressed(mut self) -> Table {
        for module in &mut self.modules {
            let suffix = Compression::of(&module.path).suffix();
            if let Some(plain) = module.path.strip_suffix(suffix) {
                module.path = plain.to_owned();
            }
        }
        self
    }

    /// Modules that match this modalias in the full tree but are not in the image. Only boot drivers (network, storage
    /// and their buses) are stored. Empty for a table that is not a [`Table::subset`].
    pub fn left_out(&self, modalias: &str) -> Vec<String> {
        super::normalize(modalias)
            .map(|alias| self.left_out.lookup(&alias).into_iter().map(str::to_owned).collect())
            .unwrap_or_default()
    }

    /// Writes the index. The same table gives the same text.
    pub fn encode(&self) -> String {
        let mut dep = String::new();
        for module in &self.modules {
            line(&mut dep, format_args!("{}: {}", module.path, module.deps));
        }
        let mut conf = String::new();
        for (pattern, module) in &self.conf.aliases {
            line(&mut conf, format_args!("alias {pattern} {module}"));
        }
        for (module, options) in &self.conf.options {
            line(&mut conf, format_args!("options {module} {options}"));
        }
        for Softdep { name, pre, post } in &self.conf.softdeps {
            line(&mut conf, format_args!("softdep {name} pre: {} post: {}", pre.join(" "), post.join(" ")));
        }
        for name in &self.conf.blacklist {
            line(&mut conf, format_args!("blacklist {name}"));
        }
        for name in &self.conf.never {
            line(&mut conf, format_args!("install {name} /bin/false"));
        }
        let mut builtin = self.builtin.join("\n");
        builtin.push('\n');
        let mut index = format!("{MAGIC} {VERSION} {}\n", self.release);
        for (name, body) in [
            ("dep", dep.as_str()),
            ("alias", &alias_lines(&self.aliases)),
            ("builtin", &builtin),
            ("builtin.alias", &alias_lines(&self.builtin_aliases)),
            ("modprobe", &conf),
            ("left-out", self.left_out.as_str()),
        ] {
            line(&mut index, format_args!("[{name} {}]", body.len()));
            index.push_str(body);
        }
        index
    }

    /// Reads an index. Sections with unknown names are ignored.
    pub fn decode(index: &str) -> Result<Table, IndexError> {
        let (head, mut rest) = index.split_once('\n').ok_or(IndexError::NotAnIndex)?;
        let mut words = head.splitn(3, ' ');
        let (Some(MAGIC), Some(version), Some(release)) = (words.next(), words.next(), words.next()) else {
            return Err(IndexError::NotAnIndex);
        };
        if version != VERSION {
            return Err(IndexError::Version { found: version.to_owned() });
        }
        let mut table = Table { release: release.to_owned(), ..Table::default() };
        while !rest.is_empty() {
            let (name, body, after) =
                section(rest).ok_or_else(|| IndexError::Damaged { at: rest.chars().take(40).collect() })?;
            rest = after;
            match name {
                "dep" => table.read_dep(body),
                "alias" => {
                    table.aliases = AliasSet::with_capacity(body.len());
                    read_aliases(body, &mut table.aliases, "index", &mut table.notes);
                }
                "builtin" => {
                    table.builtin = body.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect();
                    table.builtin.sort_unstable();
                }
                "builtin.alias" => {
                    read_aliases(body, &mut table.builtin_aliases, "index", &mut table.notes);
                }
                "modprobe" => table.conf.read(ConfFile { name: "index", text: body }),
                "left-out" => {
                    table.left_out = LeftOut::parse(body)
                        .ok_or_else(|| IndexError::Damaged { at: body.chars().take(40).collect() })?;
                }
                _ => {}
            }
        }
        table.notes.append(&mut table.conf.notes);
        Ok(table)
    }

    fn replace_modules(&mut self, modules: impl Iterator<Item = Module>) {
        self.modules = modules.collect();
        self.by_name = self.modules.iter().enumerate().map(|(i, module)| (module.name.clone(), i)).collect();
    }
}

/// Dependencies by name only: the path is not needed once the modules are known.
fn short_deps(deps: &str, chosen: &HashSet<String>) -> String {
    let names: Vec<_> = deps
        .split_ascii_whitespace()
        .filter_map(module_name)
        .filter(|name| chosen.contains(name.as_ref()))
        .collect();
    names.join(" ")
}

fn alias_lines(set: &AliasSet) -> String {
    let mut text = String::new();
    for (pattern, module) in set.iter() {
        line(&mut text, format_args!("alias {pattern} {module}"));
    }
    text
}

fn line(text: &mut String, args: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(args);
    // A backslash at the end would join this line and the next (modprobe.d(5)). No name or option ends with one.
    text.truncate(text.trim_end_matches('\\').len());
    text.push('\n');
}

/// Splits `[name length]\n<body><rest>`.
fn section(text: &str) -> Option<(&str, &str, &str)> {
    let (head, after) = text.strip_prefix('[')?.split_once('\n')?;
    let (name, len) = head.strip_suffix(']')?.split_once(' ')?;
    let (body, rest) = after.split_at_checked(len.parse().ok()?)?;
    Some((name, body, rest))
}
