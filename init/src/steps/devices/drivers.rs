//! Coldplug: loads modules for the devices on the buses, and for devices that appear later.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dayfly_sys::{Sys, Uevents, own};

use crate::channel::channel;
use crate::context::{Context, Done};
use crate::events::{Events, Level};
use crate::modules::Modules;
use crate::{Failure, threads};
use dayfly_plan::StepId;

/// The number of modules loaded in parallel. More does not help: most of the time goes into probing, on few buses.
const WORKERS: usize = 4;
/// Drivers find devices that need drivers in turn: a controller, its disks, their partitions. The watch handles devices
/// after this many rounds.
const ROUNDS: usize = 8;
/// Buses whose devices need no module to boot. The OS loads modules for them.
const QUIET: [&str; 10] = [
    "clockevents",
    "clocksource",
    "container",
    "cpu",
    "edac",
    "event_source",
    "machinecheck",
    "memory",
    "node",
    "workqueue",
];

/// Loads modules by name.
pub fn load_modules(cx: &Context, names: &[String]) -> Result<Done, Failure> {
    let mut missing = Vec::new();
    let mut first_failure = None;
    for name in names {
        match cx.modules.load(name) {
            Ok(true) => {}
            Ok(false) => missing.push(name.as_str()),
            Err(failure) => {
                cx.note(Level::Warning, format!("{}: {}", failure.tried, failure.wrong));
                first_failure.get_or_insert(failure);
            }
        }
    }
    if !missing.is_empty() {
        cx.note(Level::Debug, format!("neither in the initramfs nor in the kernel: {}", missing.join(" ")));
    }
    match first_failure {
        Some(failure) => Err(failure),
        None => Ok(Done::with(format!("{} requested, {} missing", names.len(), missing.len()))),
    }
}

/// Loads drivers for all devices, then starts a watch for new ones.
pub fn load_drivers(cx: &Context, blacklist: &[String]) -> Result<Done, Failure> {
    // Subscribe before the first scan, so that no device is missed between the two.
    let mut uevents = cx.sys.uevents();
    let mut seen = BTreeSet::new();
    let mut fresh = modaliases(&*cx.sys);
    // The first caller reads the table; another thread may have done so already.
    cx.modules.table()?;
    for _ in 0..ROUNDS {
        fresh.retain(|modalias| seen.insert(modalias.clone()));
        if fresh.is_empty() {
            break;
        }
        load_for(cx, std::mem::take(&mut fresh), blacklist);
        // When a module is loaded, the kernel has already announced the devices that its driver found.
        fresh = uevents
            .as_mut()
            .map_or_else(|_| modaliases(&*cx.sys), |uevents| announced(&*cx.sys, &mut **uevents));
    }
    match uevents {
        Ok(uevents) => watch(cx, uevents, blacklist.to_vec()),
        Err(error) => cx.note(Level::Warning, format!("devices that appear later get no driver: {error}")),
    }
    Ok(Done::with(format!("{} devices, {} modules loaded", seen.len(), cx.modules.loaded())))
}

/// The most messages read at once; more than a machine has devices.
const MOST: usize = 20_000;

/// The modaliases that the kernel announced since the last call, or those of all devices if messages were lost.
fn announced(sys: &dyn Sys, uevents: &mut dyn Uevents) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..MOST {
        match uevents.next(Duration::ZERO) {
            Ok(Some(message)) => found.extend(added(&message)),
            Ok(None) => return found,
            Err(_) => return modaliases(sys),
        }
    }
    // A device that appears and disappears endlessly must not block the boot. The watch reads the rest of the queue.
    found
}

/// The modalias of a device that a message announces.
fn added(message: &[u8]) -> Option<String> {
    let uevent = dayfly_formats::uevent::parse(message)?;
    (uevent.action == "add").then(|| uevent.modalias().map(str::to_owned))?
}

/// The modaliases of all devices on all buses.
fn modaliases(sys: &dyn Sys) -> Vec<String> {
    let mut found = BTreeSet::new();
    // A bus without devices, or a device that was removed during the scan, is not an error.
    for bus in sys.list(&own("/sys/bus")).unwrap_or_default() {
        if QUIET.contains(&bus.name.as_str()) {
            continue;
        }
        let devices = own("/sys/bus").join(bus.name).join("devices");
        for device in sys.list(&devices).unwrap_or_default() {
            if let Ok(bytes) = sys.read(&devices.join(device.name).join("modalias")) {
                let text = String::from_utf8_lossy(&bytes).trim().to_owned();
                if !text.is_empty() {
                    found.insert(text);
                }
            }
        }
    }
    found.into_iter().collect()
}

fn load_for(cx: &Context, modaliases: Vec<String>, blacklist: &[String]) {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS);
    if workers == 1 {
        for modalias in &modaliases {
            load_driver(&cx.modules, &cx.events, modalias, blacklist);
        }
        return;
    }
    let queue = Arc::new(Mutex::new(modaliases));
    let (sender, receiver) = channel::<Option<Failure>>();
    let mut working = 0;
    for _ in 0..workers {
        let (queue, sender) = (Arc::clone(&queue), sender.clone());
        let (modules, events, blacklist) = (Arc::clone(&cx.modules), cx.events.clone(), blacklist.to_vec());
        let panicked = sender.clone();
        let on_panic = move |failure| panicked.send(Some(failure));
        let spawned = threads::start("drivers", on_panic, move || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let Some(modalias) = next else { break };
                load_driver(&modules, &events, &modalias, &blacklist);
            }
            sender.send(None);
        });
        match spawned {
            Ok(()) => working += 1,
            Err(error) => {
                cx.note(Level::Warning, format!("no thread for loading drivers could be started: {error}"));
            }
        }
    }
    // If a module hangs, the step's deadline ends the wait.
    while working > 0
        && let Some(ended) = receiver.receive(&*cx.sys, cx.until)
    {
        working -= 1;
        if let Some(failure) = ended {
            let text = format!("{}: {} [{}]", failure.tried, failure.wrong, failure.code);
            cx.note(Level::Warning, text.clone());
            cx.modules.remember(text);
        }
    }
    let rest = std::mem::take(&mut *queue.lock().unwrap_or_else(PoisonError::into_inner));
    for modalias in &rest {
        load_driver(&cx.modules, &cx.events, modalias, blacklist);
    }
}

fn load_driver(modules: &Modules, events: &Events, modalias: &str, blacklist: &[String]) {
    let Ok(table) = modules.table() else { return };
    let names = table.lookup(modalias);
    if names.is_empty() {
        let left_out = table.left_out(modalias);
        if !left_out.is_empty() {
            let names = left_out.join(" or ");
            let text = format!("the device {modalias} needs a driver that is not in this initramfs: {names}");
            events.note(
                Level::Warning,
                Some(StepId::Drivers),
                format!("{text} (dayfly initramfs --add-module)"),
            );
            modules.remember(format!("{modalias} needs {names}, which is not in this initramfs"));
        }
    }
    for name in names.iter().filter(|name| !blacklist.contains(name)) {
        if let Err(failure) = modules.load(name) {
            let text = format!("{}: {}", failure.tried, failure.wrong);
            events.note(Level::Warning, Some(StepId::Drivers), text.clone());
            modules.remember(text);
        }
    }
}

/// Runs until the exec ends all threads, because a device may appear at any time.
fn watch(cx: &Context, mut uevents: Box<dyn Uevents>, blacklist: Vec<String>) {
    let (modules, events, sys) = (Arc::clone(&cx.modules), cx.events.clone(), Arc::clone(&cx.sys));
    let on_panic = {
        let events = cx.events.clone();
        move |failure: Failure| {
            let text = format!("devices that appear later get no driver: {}", failure.wrong);
            events.note(Level::Warning, Some(StepId::Drivers), text);
        }
    };
    let spawned = threads::start("hotplug", on_panic, move || {
        let load = |modalias: &str| load_driver(&modules, &events, modalias, &blacklist);
        loop {
            match uevents.next(Duration::from_secs(3600)) {
                Ok(Some(message)) => added(&message).iter().for_each(|modalias| load(modalias)),
                Ok(None) => {}
                // The kernel dropped messages: scan all devices again.
                Err(error) if error.errno() == Some(ENOBUFS) => {
                    for modalias in &modaliases(&*sys) {
                        load(modalias);
                    }
                }
                Err(error) => {
                    events.note(
                        Level::Warning,
                        Some(StepId::Drivers),
                        format!("devices that appear later get no driver: {error}"),
                    );
                    return;
                }
            }
        }
    });
    if let Err(error) = spawned {
        cx.note(Level::Warning, format!("devices that appear later get no driver: {error}"));
    }
}

/// No buffer space available, errno(3).
const ENOBUFS: i32 = 105;
