//! Loads kernel modules, each at most once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use dayfly_formats::cmdline::Cmdline;
use dayfly_formats::modules::{ConfFile, KernelFiles, Load, Table};
use dayfly_plan::{Code, paths};
use dayfly_sys::{Sys, Tree, TreePath, own};

use crate::events::{Events, Level};
use crate::once::Once;
use crate::trees::OS;
use crate::{Failure, panic};

/// The modprobe configuration of a foreign initramfs, in the order of modprobe.d(5).
const CONFIGURATION: [&str; 4] =
    ["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/lib/modprobe.d"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Loading,
    Ended { well: bool },
}

/// The state of each module, and a condition variable for threads that wait for one.
#[derive(Default)]
struct States {
    map: Mutex<HashMap<String, State>>,
    changed: Condvar,
}

impl States {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, State>> {
        // No code that can panic runs under the lock.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, name: &str, state: Option<State>) {
        let mut states = self.lock();
        match state {
            Some(state) => drop(states.insert(name.to_owned(), state)),
            None => drop(states.remove(name)),
        }
        self.changed.notify_all();
    }
}

/// The modules of this kernel, and which of them are loaded.
pub struct Modules {
    sys: Arc<dyn Sys>,
    events: Events,
    /// Where the modules are: in the initramfs, or in the OS before the switch to it.
    tree: Tree,
    /// The kernel parameters `module.parameter=` and `modprobe.blacklist=`.
    parameters: Vec<(String, Option<String>)>,
    table: Once<Result<Table, Failure>>,
    states: Arc<States>,
    troubles: Mutex<Vec<String>>,
    /// The modules of the OS, after the first use.
    os: OnceLock<Box<Self>>,
}

impl Modules {
    /// Makes the loader. It reads no files until the first use.
    pub fn new(sys: Arc<dyn Sys>, events: Events, cmdline: &Cmdline) -> Self {
        let parameters = cmdline
            .words()
            .iter()
            .filter(|word| word.key.contains('.'))
            .map(|word| (word.key.clone(), word.value.clone()))
            .collect();
        Self {
            sys,
            events,
            tree: Tree::OWN,
            parameters,
            table: Once::default(),
            states: Arc::default(),
            troubles: Mutex::default(),
            os: OnceLock::new(),
        }
    }

    /// The modules that the OS has for this kernel, with its own configuration.
    pub fn of_os(&self) -> &Self {
        self.os.get_or_init(|| {
            Box::new(Self {
                sys: Arc::clone(&self.sys),
                events: self.events.clone(),
                tree: OS,
                parameters: self.parameters.clone(),
                table: Once::default(),
                states: Arc::default(),
                troubles: Mutex::default(),
                os: OnceLock::new(),
            })
        })
    }

    /// The module table: Dayfly's index, or in a foreign initramfs the files of depmod. Read at the first call.
    pub fn table(&self) -> Result<&Table, Failure> {
        self.table.get_or_make(|| self.read_table()).as_ref().map_err(Clone::clone)
    }

    fn read_table(&self) -> Result<Table, Failure> {
        let mut table = self.read_index()?;
        for (key, value) in &self.parameters {
            table.add_parameter(key, value.as_deref());
        }
        let running = self.release();
        if !running.is_empty() && table.release() != running {
            let text = format!(
                "the initramfs was built for kernel {}, but kernel {running} is running: modules will not load",
                table.release()
            );
            self.events.note(Level::Error, None, text);
        }
        for note in table.notes() {
            self.events.note(Level::Debug, None, note.clone());
        }
        Ok(table)
    }

    fn is_os(&self) -> bool {
        self.tree != Tree::OWN
    }

    fn read_index(&self) -> Result<Table, Failure> {
        if self.is_os() {
            return self.read_depmod();
        }
        match self.sys.read(&own(paths::MODULE_INDEX)) {
            Ok(bytes) => Table::decode(&String::from_utf8_lossy(&bytes)).map_err(|error| {
                Failure::new(Code::DevicesIndex, format!("read {}", paths::MODULE_INDEX), error.to_string())
            }),
            Err(error) if error.is_not_found() => self.read_depmod(),
            Err(error) => Err(Failure::from_sys(Code::DevicesIndex, "read the module index", &error)),
        }
    }

    /// The directory of this kernel's modules.
    fn folder(&self, release: &str) -> TreePath {
        self.tree.at(format!("/lib/modules/{release}"))
    }

    fn read_depmod(&self) -> Result<Table, Failure> {
        let release = self.release();
        let folder = self.folder(&release);
        let text = |name: &str| -> String {
            // Missing files are not an error: the kernel may have no modules, or be too old for some of the lists.
            self.sys
                .read(&folder.join(name))
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default()
        };
        // In the OS, udev loads the modules for devices.
        let for_devices = |name: &str| if self.is_os() { String::new() } else { text(name) };
        let (dep, softdep, builtin) = (text("modules.dep"), text("modules.softdep"), text("modules.builtin"));
        let mut alias = text("modules.alias");
        if self.is_os() {
            // Keeps the names that soft dependencies use, such as `crc32c`. Device aliases contain a colon.
            alias = alias
                .lines()
                .filter(|line| !line.contains(':'))
                .fold(String::new(), |all, line| all + line + "\n");
        }
        let builtin_modinfo = for_devices("modules.builtin.modinfo");
        if dep.is_empty() && builtin.is_empty() {
            let wrong = if self.is_os() {
                format!("the image has no modules for the running kernel, {release}")
            } else {
                format!("neither {} nor {}/modules.dep exists", paths::MODULE_INDEX, folder)
            };
            return Err(Failure::new(Code::DevicesIndex, "find the kernel's modules", wrong));
        }
        let mut configuration = Vec::new();
        for dir in CONFIGURATION {
            let dir = self.tree.at(dir);
            // Most of these folders do not exist in an initramfs.
            for entry in self.sys.list(&dir).unwrap_or_default() {
                if Path::new(&entry.name).extension().is_some_and(|extension| extension == "conf")
                    && let Ok(bytes) = self.sys.read(&dir.join(&entry.name))
                {
                    configuration.push((entry.name, String::from_utf8_lossy(&bytes).into_owned()));
                }
            }
        }
        let files: Vec<ConfFile<'_>> =
            configuration.iter().map(|(name, text)| ConfFile { name, text }).collect();
        let kernel = KernelFiles {
            release: &release,
            dep: &dep,
            alias: &alias,
            softdep: &softdep,
            builtin: &builtin,
            builtin_modinfo: builtin_modinfo.as_bytes(),
        };
        Ok(Table::from_kernel(&kernel, &files))
    }

    /// The release of the running kernel; empty if /proc is not mounted.
    pub fn release(&self) -> String {
        // Without /proc the table cannot be checked against the kernel. The kernel itself refuses a module of another
        // release.
        let bytes = self.sys.read(&own("/proc/sys/kernel/osrelease")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// Whether the image has the module or the kernel has it built in.
    pub fn has(&self, name: &str) -> Result<bool, Failure> {
        self.table().map(|table| table.has(name) || table.is_builtin(name))
    }

    /// Loads a module and its dependencies; `Ok(false)` if neither the image nor the kernel has it.
    pub fn load(&self, name: &str) -> Result<bool, Failure> {
        let table = self.table()?;
        if !table.has(name) {
            return Ok(table.is_builtin(name));
        }
        let order = table.load_order(name).map_err(|error| {
            Failure::new(Code::DevicesModule, format!("resolve the module {name}"), error.to_string())
        })?;
        for load in &order {
            let result = self.load_one(table, load);
            match result {
                Ok(()) => {}
                Err(failure) if load.required => return Err(failure),
                Err(failure) => {
                    self.events.note(Level::Debug, None, format!("{}: {}", failure.tried, failure.wrong));
                }
            }
        }
        Ok(true)
    }

    /// Loads one file, unless it is loaded already. If another thread is loading it, waits for that.
    fn load_one(&self, table: &Table, load: &Load) -> Result<(), Failure> {
        let again = || {
            Failure::new(
                Code::DevicesModule,
                format!("load {}", load.name),
                "it failed before; see the messages above",
            )
        };
        let path = if load.path.starts_with('/') {
            self.tree.at(&load.path)
        } else {
            self.folder(table.release()).join(&load.path)
        };
        let mut states = self.states.lock();
        loop {
            match states.get(&load.name) {
                Some(State::Ended { well: true }) => return Ok(()),
                Some(State::Ended { well: false }) => return Err(again()),
                // The kernel sets no time limit for a module's init, but the runner limits the step that waits here.
                Some(State::Loading) => {
                    states = self.states.changed.wait(states).unwrap_or_else(PoisonError::into_inner);
                }
                None => break,
            }
        }
        states.insert(load.name.clone(), State::Loading);
        drop(states);
        let on_panic = {
            let (states, name) = (Arc::clone(&self.states), load.name.clone());
            // If this thread panics, the next waiting thread tries.
            move |_| states.set(&name, None)
        };
        let result = panic::during(on_panic, || self.sys.load_module(&path, &load.params));
        self.states.set(&load.name, Some(State::Ended { well: result.is_ok() }));
        match result {
            Ok(_) => {
                self.events.note(Level::Debug, None, format!("loaded {} {}", load.name, load.params));
                Ok(())
            }
            Err(error) => {
                Err(Failure::from_sys(Code::DevicesModule, format!("load the module {}", load.name), &error))
            }
        }
    }

    /// Remembers a device without a driver, for the error message of a step that misses the device later.
    pub fn remember(&self, trouble: String) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        // Limited, because a device that appears and disappears repeatedly must not fill the memory.
        if troubles.len() < 32 && !troubles.contains(&trouble) {
            troubles.push(trouble);
        }
    }

    /// The text to append to an error about a missing device: the devices without a driver. Empty if there are none.
    pub fn troubles(&self) -> String {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.is_empty() {
            String::new()
        } else {
            format!("; without a driver: {}", troubles.join("; "))
        }
    }

    /// The number of modules that were loaded.
    pub fn loaded(&self) -> usize {
        self.states.lock().values().filter(|state| **state == State::Ended { well: true }).count()
    }
}
