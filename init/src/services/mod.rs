//! Services of the OS. A step describes a service in a [`Service`]. [`Manager::install`] writes it in the format of the
//! image's service manager and enables it, so that it starts in the manager's first transaction.

pub mod openrc;
pub mod systemd;

use dayfly_plan::Code;
use dayfly_sys::{Files, SysError, Tree};

use crate::Failure;
use crate::context::Context;
use crate::os;

/// The service manager of the OS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// systemd(1).
    Systemd,
    /// openrc(8), with any init: sysvinit, busybox or openrc-init.
    OpenRc,
}

impl Manager {
    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Manager::Systemd => "systemd",
            Manager::OpenRc => "OpenRC",
        }
    }

    /// The service manager that the OS uses when `init` (a path in the OS) is its process 1.
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
        // `init` may be a copy or a wrapper of systemd under another name.
        if has("/usr/lib/systemd/systemd")? || has("/lib/systemd/systemd")? {
            return Ok(Some(Manager::Systemd));
        }
        Ok(None)
    }

    /// The service in the manager's format.
    pub fn text(self, service: &Service) -> String {
        match self {
            Manager::Systemd => systemd::unit(service),
            Manager::OpenRc => openrc::script(service),
        }
    }

    /// Writes a service and enables it. Returns the path of the file in the OS.
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

/// The image's service manager, found by the step `init`; a failure if there is none.
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
    /// Do not start it again.
    #[default]
    No,
    /// Start it again after this many seconds, whatever its exit status, without a limit of attempts.
    Always(u32),
}

/// The type of a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// A program that stays in the foreground.
    #[default]
    Daemon,
    /// A daemon that notifies when it is ready (sd_notify(3)). OpenRC treats it as [`Kind::Daemon`].
    Notify,
    /// A task that runs once. Services ordered after it wait for its end.
    Task,
}

/// A service, for either manager. Fields that only one manager supports say so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name, without `.service`.
    pub name: String,
    /// A one-line description.
    pub description: String,
    /// The URL of the documentation (systemd).
    pub documentation: Option<String>,
    /// The path of the program in the OS.
    pub program: String,
    /// Its arguments. They are passed unchanged: special characters of the manager are escaped.
    pub args: Vec<String>,
    /// Environment variables in addition to the manager's own.
    pub environment: Vec<(String, String)>,
    /// The type of the service.
    pub kind: Kind,
    /// What to do when it ends.
    pub restart: Restart,
    /// Start it after the network is up.
    pub network: bool,
    /// Services to start before this one. It starts even if they are missing or fail.
    pub wants: Vec<String>,
    /// Services that start before this one, if they are enabled.
    pub after: Vec<String>,
    /// Services that start after this one, if they are enabled.
    pub before: Vec<String>,
    /// Skip it if its program does not exist (systemd).
    pub if_executable: bool,
    /// The limit of open files.
    pub open_files: Option<u32>,
    /// No limit for the number of processes and the size of core dumps.
    pub unlimited: bool,
    /// It manages its own control group subtree, as container managers do (systemd).
    pub delegate: bool,
    /// Stop only its main process. Its other processes are containers that keep running.
    pub only_main: bool,
    /// No start timeout.
    pub patient: bool,
}
