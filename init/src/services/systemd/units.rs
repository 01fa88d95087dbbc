//! Finds, enables and disables systemd units before the OS runs, as systemctl(1) does.

use dayfly_formats::unit_file::Install;
use dayfly_sys::{Entry, Files, SysError, TreePath};

use crate::os;
use crate::trees::OS;

/// The directory for the units that the boot writes.
pub const ETC: &str = "/etc/systemd/system";
/// The unit directories, highest priority first (systemd.unit(5)).
const FOLDERS: [&str; 5] = [
    ETC,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// The most units that `Also=` may pull in. More indicate a loop.
const MOST: usize = 32;

/// Why a unit could not be enabled.
pub enum Refusal {
    /// A call failed.
    Sys(SysError),
    /// Another reason.
    Words(String),
    /// The unit file does not allow it.
    Unit {
        /// The path of the file in the OS.
        file: String,
        /// The reason.
        words: String,
    },
}

impl From<SysError> for Refusal {
    fn from(error: SysError) -> Self {
        Refusal::Sys(error)
    }
}

/// Enables a unit: makes the links that its `[Install]` section asks for. Removes a mask, because the settings name the
/// unit explicitly.
pub fn enable(sys: &dyn Files, unit: &str) -> Result<(), Refusal> {
    let mut open = vec![unit.to_owned()];
    let mut done: Vec<String> = Vec::new();
    while let Some(name) = open.pop() {
        if done.contains(&name) || done.len() == MOST {
            continue;
        }
        unmask(sys, &name)?;
        let Some((file, text)) = find(sys, &name)? else {
            // A unit that is only listed in `Also=` may be missing.
            if name == unit {
                return Err(Refusal::Words(format!("the image has no unit {unit}")));
            }
            done.push(name);
            continue;
        };
        let install = Install::parse(&text);
        if install.is_empty() && name == unit {
            let words = "has no [Install] section that says when it is started".to_owned();
            return Err(Refusal::Unit { file, words });
        }
        link(sys, &name, &file, &install)?;
        open.extend(install.also);
        done.push(name);
    }
    Ok(())
}

/// Enables a unit without the units in its `Also=`.
pub fn enable_alone(sys: &dyn Files, unit: &str) -> Result<(), Refusal> {
    match find(sys, unit)? {
        Some((file, text)) => link(sys, unit, &file, &Install::parse(&text)),
        None => Err(Refusal::Words(format!("the image has no unit {unit}"))),
    }
}

/// Returns those of the services that have a link to start at boot. Reads the links only once.
pub fn enabled<'a>(sys: &dyn Files, services: &[&'a str]) -> Result<Vec<&'a str>, SysError> {
    let links = links(sys)?;
    let mut enabled = Vec::new();
    for service in services {
        let unit = format!("{service}.service");
        if links.iter().any(|link| link.unit == unit) && !is_masked(sys, &unit)? {
            enabled.push(*service);
        }
    }
    Ok(enabled)
}

/// Whether a unit exists and is not masked.
pub fn is_usable(sys: &dyn Files, unit: &str) -> Result<bool, SysError> {
    Ok(find(sys, unit)?.is_some() && !is_masked(sys, unit)?)
}

fn link(sys: &dyn Files, name: &str, file: &str, install: &Install) -> Result<(), Refusal> {
    let wants = install.wanted_by.iter().map(|target| (target, "wants"));
    let requires = install.required_by.iter().map(|target| (target, "requires"));
    for (target, kind) in wants.chain(requires) {
        let link = format!("{ETC}/{}.{kind}/{name}", expanded(target, name, file)?);
        os::link(sys, file, &link)?;
    }
    for alias in &install.alias {
        let link = format!("{ETC}/{}", expanded(alias, name, file)?);
        os::link(sys, file, &link)?;
    }
    Ok(())
}

/// Expands `%i` and `%j`, the specifiers for the instance name. Other specifiers depend on the running system.
fn expanded(text: &str, unit: &str, file: &str) -> Result<String, Refusal> {
    let instance =
        unit.split_once('@').and_then(|(_, rest)| rest.rsplit_once('.')).map_or("", |(one, _)| one);
    let text = text.replace("%i", instance).replace("%j", instance);
    if text.contains(['%', '/']) {
        let words =
            format!("has \"{text}\" in its [Install] section, which only a running systemd can resolve");
        return Err(Refusal::Unit { file: file.to_owned(), words });
    }
    Ok(text)
}

/// Removes the links that start a unit at boot. Links below /usr belong to the image and stay; they are returned.
pub fn disable(sys: &dyn Files, unit: &str) -> Result<Vec<String>, SysError> {
    let mut stay = Vec::new();
    for link in links(sys)?.into_iter().filter(|link| link.unit == unit) {
        if link.path.starts_with(ETC) {
            sys.remove_tree(&OS.at(&link.path))?;
        } else {
            stay.push(link.path);
        }
    }
    Ok(stay)
}

/// A link in a `.wants` or `.requires` folder, which starts a unit.
struct Link {
    path: String,
    unit: String,
}

/// All such links, with their paths in the OS.
fn links(sys: &dyn Files) -> Result<Vec<Link>, SysError> {
    let mut found = Vec::new();
    let mut seen: Vec<TreePath> = Vec::new();
    for folder in FOLDERS {
        let place = sys.resolve(&OS.at(folder))?;
        // /lib may be /usr/lib.
        if seen.contains(&place) {
            continue;
        }
        for target in list(sys, &place)? {
            if !matches!(target.name.rsplit_once('.'), Some((_, "wants" | "requires"))) {
                continue;
            }
            let folder = format!("{folder}/{}", target.name);
            let place = if target.is_dir { place.join(&target.name) } else { sys.resolve(&OS.at(&folder))? };
            found.extend(
                list(sys, &place)?
                    .into_iter()
                    .map(|entry| Link { path: format!("{folder}/{}", entry.name), unit: entry.name }),
            );
        }
        seen.push(place);
    }
    Ok(found)
}

/// The entries of a directory; none if it does not exist.
fn list(sys: &dyn Files, folder: &TreePath) -> Result<Vec<Entry>, SysError> {
    match sys.list(folder) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        listed => listed,
    }
}

fn mask(unit: &str) -> TreePath {
    OS.at(format!("{ETC}/{unit}"))
}

/// Whether a unit is masked, that is, a link to /dev/null.
fn is_masked(sys: &dyn Files, unit: &str) -> Result<bool, SysError> {
    Ok(sys.resolve(&mask(unit))? == OS.at("/dev/null"))
}

fn unmask(sys: &dyn Files, unit: &str) -> Result<(), SysError> {
    if is_masked(sys, unit)? { sys.remove_tree(&mask(unit)) } else { Ok(()) }
}

/// The path of a unit's file in the OS and its text. For an instance it may be the template's file.
fn find(sys: &dyn Files, unit: &str) -> Result<Option<(String, String)>, SysError> {
    let template =
        unit.split_once('@').and_then(|(name, rest)| Some(format!("{name}@.{}", rest.rsplit_once('.')?.1)));
    for name in std::iter::once(unit.to_owned()).chain(template) {
        for folder in FOLDERS {
            let file = format!("{folder}/{name}");
            if let Some(text) = os::read(sys, &file)? {
                return Ok(Some((file, text)));
            }
        }
    }
    Ok(None)
}
