//! Services of the OS. A step describes one in a [`Service`]; [`Manager::install`] writes it the way the image's service
//! manager wants it and enables it, so that it starts in the manager's first transaction.

pub mod openrc;
pub mod systemd;

use dayfly_plan::Code;
use dayfly_sys::{Files, SysError, Tree};

use crate::Failure;
use crate::context::Context;
use crate::os;

/// What starts the OS's services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// systemd(1).
    Systemd,
    /// openrc(8), whatever is process 1: sysvinit, busybox or openrc-init.
    OpenRc,
}

impl Manager {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Manager::Systemd => "systemd",
            Manager::OpenRc => "OpenRC",
        }
    }

    /// What manages services when `init`, a program as the OS sees it, is its process 1.
    pub fn of_init(sys: &dyn Files, os: Tree, init: &str) -> Result<Option<Self>, SysError> {
        let has = |path: &str| Ok(sys.inspect(&sys.resolve(&os.at(path))?)?.is_some());
        // /sbin/init is a link to it in most distributions.
        let program = sys.resolve(&os.at(init))?;
        match program.file_name().and_then(|name| name.to_str()) {
            Some("systemd") => return Ok(Some(Manager::Systemd)),
            Some("openrc-init") => return Ok(Some(Manager::OpenRc)),
            _ => {}
        }
        // sysvinit and busybox start OpenRC by their inittab.
        if has("/sbin/openrc")? || has("/usr/sbin/openrc")? {
            return Ok(Some(Manager::OpenRc));
        }
        // A copy or a wrapper of systemd under another name.
        if has("/usr/lib/systemd/systemd")? || has("/lib/systemd/systemd")? {
            return Ok(Some(Manager::Systemd));
        }
        Ok(None)
    }

    /// A service in its words.
    pub fn text(self, service: &Service) -> String {
        match self {
            Manager::Systemd => systemd::unit(service),
            Manager::OpenRc => openrc::script(service),
        }
    }

    /// Writes a service and enables it; gives back the file that was written, as the OS sees it.
    pub fn install(self, sys: &dyn Files, service: &Service) -> Result<String, SysError> {
        let name = &service.name;
        let (file, mode, link, target) = match self {
            Manager::Systemd => (
                format!("/etc/systemd/system/{name}.service"),
                0o644,
                format!("/etc/systemd/system/{}.wants/{name}.service", systemd::TARGET),
                format!("../{name}.service"),
            ),
            Manager::OpenRc => (
                format!("/etc/init.d/{name}"),
                0o755,
                format!("/etc/runlevels/default/{name}"),
                format!("/etc/init.d/{name}"),
            ),
        };
        os::write(sys, &file, &self.text(service), mode)?;
        os::link(sys, &target, &link)?;
        Ok(file)
    }
}

/// The image's service manager, found by the step `init`; a failure for who cannot do without.
pub fn manager(cx: &Context) -> Result<Manager, Failure> {
    cx.known.init.as_ref().and_then(|init| init.manager).ok_or_else(|| {
        let init = cx.known.init.as_ref().map_or("nothing", |init| init.program.as_str());
        let wrong = format!("the image boots {init} and has neither systemd nor OpenRC");
        Failure::new(Code::NodeService, "find the image's service manager", wrong)
    })
}

/// What happens when a service ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Restart {
    /// Nothing.
    #[default]
    No,
    /// It is started again after so many seconds, however it ended and for ever.
    Always(u32),
}

/// What a service is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// A program that stays in the foreground.
    #[default]
    Daemon,
    /// The same, and it says when it is ready (sd_notify(3)); OpenRC takes it as a [`Kind::Daemon`].
    Notify,
    /// Something to be done once; what comes after it waits for its end.
    Task,
}

/// A service, for either manager. What only one of them knows is said at the field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name, without `.service`.
    pub name: String,
    /// What it is, one line.
    pub description: String,
    /// Where it is documented (systemd).
    pub documentation: Option<String>,
    /// The program, as the OS sees it.
    pub program: String,
    /// Its arguments. They reach it as they are: nothing in them means anything to the manager.
    pub args: Vec<String>,
    /// Its environment, beside the manager's own.
    pub environment: Vec<(String, String)>,
    /// What it is.
    pub kind: Kind,
    /// What follows its end.
    pub restart: Restart,
    /// It starts when the network is up.
    pub network: bool,
    /// Services that are started too, and before this one, but may be missing or fail.
    pub wants: Vec<String>,
    /// Services that start before this one where they are enabled.
    pub after: Vec<String>,
    /// Services that start after this one where they are enabled.
    pub before: Vec<String>,
    /// It is passed over where its program is not there (systemd).
    pub if_executable: bool,
    /// How many files it may have open.
    pub open_files: Option<u32>,
    /// No limit for its processes, and for its core dumps.
    pub unlimited: bool,
    /// It may divide its control group: container managers do (systemd).
    pub delegate: bool,
    /// Only its first process is told to stop: the others are containers that live on.
    pub only_main: bool,
    /// What waits for it does so without end while it starts.
    pub patient: bool,
}
