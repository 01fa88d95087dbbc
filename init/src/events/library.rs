//! Turns log records of libraries (ureq, rustls, netlink) into events: always their warnings, and all levels with
//! `rd.debug`.

use log::{LevelFilter, Log, Metadata, Record};

use super::{Events, Level};

struct Library(Events);

/// Installs the logger.
pub fn listen(events: &Events, debug: bool) {
    log::set_max_level(if debug { LevelFilter::Debug } else { LevelFilter::Warn });
    // A process can install only one logger. A boot calls this once; only tests call it again, so the error is ignored.
    drop(log::set_boxed_logger(Box::new(Library(events.clone()))));
}

impl Log for Library {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = match record.level() {
                log::Level::Error | log::Level::Warn => Level::Warning,
                log::Level::Info | log::Level::Debug | log::Level::Trace => Level::Debug,
            };
            self.0.note(level, None, format!("{}: {}", record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}
