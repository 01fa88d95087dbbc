//! What is wanted, gathered from defaults, the settings file and the kernel command line.
//!
//! One table, [`keys::KEYS`], knows every setting by its dotted name; the file (TOML) and `dayfly.NAME=` on the
//! command line go through it alike. A second table, [`parameters::PARAMETERS`], maps what dracut and the kernel
//! document onto the same settings.

mod file;
pub mod form;
pub mod groups;
pub mod k0s;
pub mod k3s;
pub mod keys;
pub mod kubelet;
mod nearest;
mod node;
pub mod parameters;
mod root;
pub mod rules;
#[cfg(feature = "reference")]
mod schema;
pub mod script;
pub mod template;
mod userinfo;
pub mod value;

use std::net::IpAddr;
use std::time::Duration;

use dayfly_wire::cmdline::Cmdline;
use dayfly_wire::ip::IpArg;
use dayfly_wire::mac::Mac;

use crate::layout::{self, Layout};
use crate::source::CREDENTIAL_FILE;
use crate::{
    Code, Credential, Document, Facts, HostKeys, Layer, Machine, NetworkKeeper, Phase, Problem, Severity,
    Source, Sourced, Stage, Store, Way,
};
use k0s::K0sSettings;
use k3s::K3sSettings;
use kubelet::KubeletSettings;
pub use nearest::nearest;
pub use node::NodeSettings;
use rules::{Asked, Known};
#[cfg(feature = "reference")]
pub use schema::schema;
use template::UrlTemplate;
use value::{DeviceRef, HostName, Sha256, Url};

/// Where the OS image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// On a server.
    Url(Url),
    /// On a disk: the disk itself, or with `live` a file on it.
    Device {
        /// The disk.
        device: DeviceRef,
        /// dracut's `live:`: the image is a file in the disk's file system, unless the disk itself is one.
        live: bool,
    },
    /// A file in the initramfs itself.
    File(String),
}

/// What `rd.emergency=` asks for after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emergency {
    /// Start again.
    Reboot,
    /// Switch off.
    PowerOff,
    /// Stop.
    Halt,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How Dayfly was started.
    pub way: Way,
    /// The machine, as far as it is known.
    pub machine: Machine,
    /// What rules ask for.
    pub asked: Asked,
    /// The OS image.
    pub image: Option<Sourced<ImageSource>>,
    /// Its SHA-256.
    pub image_sha256: Option<Sourced<Sha256>>,
    /// For resolving and connecting, each.
    pub image_connect: Sourced<Duration>,
    /// The longest silence of the server.
    pub image_stall: Sourced<Duration>,
    /// `rd.live.dir`/`rd.live.squashimg`: where the image is on a disk.
    pub live_dir: Sourced<String>,
    /// The image's file name there.
    pub live_file: Sourced<String>,
    /// How long network and image are tried again before the boot has failed.
    pub retry: Sourced<Duration>,
    /// How long a disk is waited for.
    pub device_wait: Sourced<Duration>,
    /// The disk with the settings file; `None` where none is looked for.
    pub config_device: Sourced<Option<DeviceRef>>,
    /// How long it is waited for where somebody asked for it.
    pub config_wait: Sourced<Duration>,
    /// The settings file on a server.
    pub settings_url: Option<Sourced<UrlTemplate>>,
    /// How long that is tried, in all.
    pub settings_wait: Sourced<Duration>,
    /// Whether the boot fails without it.
    pub settings_required: Sourced<bool>,
    /// `ip=` words in order.
    pub ip: Vec<Sourced<IpArg>>,
    /// The interface that the firmware booted from.
    pub bootif: Option<Sourced<Mac>>,
    /// Name servers.
    pub dns: Vec<Sourced<IpAddr>>,
    /// The network is wanted even if the image is local.
    pub network_wanted: Sourced<bool>,
    /// Who keeps the address when the OS runs.
    pub network_handover: Sourced<NetworkKeeper>,
    /// Modules that are never loaded.
    pub modules_blacklist: Vec<Sourced<String>>,
    /// Modules that are loaded whatever the buses show.
    pub modules_load: Vec<Sourced<String>>,
    /// The disk that keeps the state.
    pub state_device: Sourced<DeviceRef>,
    /// Whether a blank disk becomes the state disk where there is none.
    pub state_create: Sourced<bool>,
    /// Which one.
    pub state_disk: Option<Sourced<DeviceRef>>,
    /// With which file system.
    pub state_fstype: Sourced<String>,
    /// Scripts from Git repositories, by name.
    pub scripts: std::collections::BTreeMap<String, script::Script>,
    /// The limit of the root's tmpfs.
    pub root_size: Option<Sourced<u64>>,
    /// The policies by path.
    pub layout: Layout,
    /// The node's name.
    pub hostname: Option<Sourced<HostName>>,
    /// Files, users, sysctls and units.
    pub node: NodeSettings,
    /// Modules of the image that are loaded for the OS.
    pub os_modules: Vec<Sourced<String>>,
    /// What becomes of the ssh host keys.
    pub host_keys: Sourced<HostKeys>,
    /// The kubelet.
    pub kubelet: KubeletSettings,
    /// k0s.
    pub k0s: K0sSettings,
    /// k3s.
    pub k3s: K3sSettings,
    /// The OS's init.
    pub init: Option<Sourced<String>>,
    /// A shell on failure.
    pub shell: Sourced<bool>,
    /// What follows a failure.
    pub emergency: Option<Sourced<Emergency>>,
    /// `panic=`: seconds until the reboot after a failure; 0 waits for ever, below 0 does not wait.
    pub panic: Option<Sourced<i64>>,
    /// Stop for a shell before this phase.
    pub break_before: Option<Sourced<Phase>>,
    /// Where boot.json is sent.
    pub report: Option<Sourced<Url>>,
    /// How long that may take.
    pub report_wait: Sourced<Duration>,
    /// Log everything to the console.
    pub debug: Sourced<bool>,
    /// Arguments for the OS's init, from the end of the command line.
    pub init_args: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let seconds = |count| Sourced::default_of(Duration::from_secs(count));
        Self {
            way: Way::default(),
            machine: Machine::default(),
            asked: Asked::default(),
            image: None,
            image_sha256: None,
            image_connect: seconds(10),
            image_stall: seconds(15),
            live_dir: Sourced::default_of("LiveOS".to_owned()),
            live_file: Sourced::default_of("squashfs.img".to_owned()),
            retry: seconds(180),
            device_wait: seconds(30),
            config_device: Sourced::default_of(Some(DeviceRef::Label("config".to_owned()))),
            config_wait: seconds(30),
            settings_url: None,
            settings_wait: seconds(60),
            settings_required: Sourced::default_of(true),
            ip: Vec::new(),
            bootif: None,
            dns: Vec::new(),
            network_wanted: Sourced::default_of(false),
            network_handover: Sourced::default_of(NetworkKeeper::default()),
            modules_blacklist: Vec::new(),
            modules_load: Vec::new(),
            state_device: Sourced::default_of(DeviceRef::Label("state".to_owned())),
            state_create: Sourced::default_of(false),
            state_disk: None,
            state_fstype: Sourced::default_of("ext4".to_owned()),
            scripts: std::collections::BTreeMap::new(),
            root_size: None,
            layout: layout::default_layout(),
            hostname: None,
            node: NodeSettings::default(),
            os_modules: Vec::new(),
            host_keys: Sourced::default_of(HostKeys::default()),
            kubelet: KubeletSettings::default(),
            k0s: K0sSettings::default(),
            k3s: K3sSettings::default(),
            init: None,
            shell: Sourced::default_of(false),
            emergency: None,
            panic: None,
            break_before: None,
            report: None,
            report_wait: seconds(5),
            debug: Sourced::default_of(false),
            init_args: Vec::new(),
        }
    }
}

/// Gathers the settings. Problems do not stop it: what can be used is used, and the rest is said.
pub fn gather(facts: &Facts) -> (Settings, Vec<Problem>) {
    let nameless = gather_for(facts, None);
    if !nameless.0.asked.name {
        return nameless;
    }
    // Rules that ask for the name cannot set it: what the others make of it is what they are asked with.
    match (&nameless.0.hostname, &facts.machine.network_name) {
        (Some(name), _) => gather_for(facts, Some((name.value.as_str(), Stage::Network))),
        (None, Some(name)) => gather_for(facts, Some((name, Stage::Image))),
        (None, None) => nameless,
    }
}

fn gather_for(facts: &Facts, name: Option<(&str, Stage)>) -> (Settings, Vec<Problem>) {
    let mut settings = Settings { way: facts.way, machine: facts.machine.clone(), ..Settings::default() };
    let mut problems = Vec::new();
    let known = Known { machine: &facts.machine, name };
    let mut layers: Vec<&Layer> = facts.layers.iter().collect();
    layers.sort_by_key(|layer| layer.source.rank());
    for layer in layers {
        file::apply(&mut settings, layer, &known, &mut problems);
    }
    name_by_systemd(&mut settings, facts, &mut problems);
    for (store, credential) in &facts.credentials {
        apply_credential(&mut settings, *store, credential, &known, &mut problems);
    }
    let cmdline = Cmdline::parse(&facts.cmdline);
    for word in cmdline.words() {
        let source = Source::Cmdline(format!("{}=", word.key));
        let value = word.value.as_deref();
        if let Some(name) = ours(&word.key) {
            // A bare `dayfly.debug` is a yes.
            apply_key(&mut settings, &name, value.unwrap_or("1"), &source, &mut problems);
        } else {
            parameters::apply(&mut settings, &word.key, value, &source, &mut problems);
        }
    }
    // The kernel hands words after `--` to init; it does so for words that it does not know too, but those are ours.
    settings.init_args = cmdline.init_args().to_vec();
    problems.extend(rivals(&settings));
    (settings, problems)
}

/// A node runs one of them: they would fight for the same ports, folders and control groups.
fn rivals(settings: &Settings) -> Option<Problem> {
    let (kubelet, k0s, k3s) = (&settings.kubelet.enabled, &settings.k0s.role, &settings.k3s.role);
    let wanted: Vec<(&str, &Source)> = [
        kubelet.value.then_some(("kubelet.enabled", &kubelet.source)),
        k0s.value.map(|_| ("k0s.role", &k0s.source)),
        k3s.value.map(|_| ("k3s.role", &k3s.source)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let [_, .., (_, source)] = wanted.as_slice() else { return None };
    let names: Vec<String> = wanted.iter().map(|(name, source)| format!("{name} ({source})")).collect();
    Some(refuse(source, format!("{}: a node runs only one of kubelet, k0s and k3s.", names.join(" and "))))
}

/// `system.hostname` is systemd's credential for the same thing, which counts where ours is not there. What is wrong with
/// it is only said: it may not have been meant for us.
fn name_by_systemd(settings: &mut Settings, facts: &Facts, problems: &mut Vec<Problem>) {
    let named = |name: &str| facts.credentials.iter().rev().find(|(_, one)| one.name == name);
    if let (Some((store, credential)), None) = (named("system.hostname"), named("dayfly.hostname")) {
        let source = Source::Credential(*store, credential.name.clone());
        let text = credential.value.expose().trim();
        match text.parse() {
            Ok(name) => keys::put(&mut settings.hostname, name, &source),
            Err(reason) => {
                let text = userinfo::hide(&format!("system.hostname: {reason}."), text);
                problems.push(Problem { severity: Severity::Warn, ..refuse(&source, text) });
            }
        }
    }
}

/// `dayfly.toml` is a whole settings file, `dayfly.NAME` one setting; all others are the OS's.
fn apply_credential(
    settings: &mut Settings,
    store: Store,
    credential: &Credential,
    known: &Known<'_>,
    problems: &mut Vec<Problem>,
) {
    let source = Source::Credential(store, credential.name.clone());
    let text = credential.value.expose();
    if credential.name == CREDENTIAL_FILE {
        let layer = Layer { source, document: Document(text.to_owned()) };
        file::apply(settings, &layer, known, problems);
    } else if let Some(name) = ours(&credential.name) {
        // A value that was a file of one line ends with that line's end.
        let line = text.strip_suffix('\n').filter(|line| !line.contains('\n'));
        apply_key(settings, &name, line.unwrap_or(text), &source, problems);
    }
}

/// The setting's name in a `dayfly.NAME` parameter; `-` and `_` are one to the kernel, but not in the names that a
/// group's entries have.
fn ours(key: &str) -> Option<String> {
    key.strip_prefix("dayfly.").map(|name| match groups::find(name) {
        Some(_) => name.to_owned(),
        None => name.replace('-', "_"),
    })
}

/// Sets one key from its text, or says what is wrong with it.
fn apply_key(settings: &mut Settings, name: &str, text: &str, source: &Source, problems: &mut Vec<Problem>) {
    let shown = match source {
        Source::Cmdline(_) => format!("dayfly.{name}="),
        _ => name.to_owned(),
    };
    let mut take = |stage, secret, set: &dyn Fn(&mut Settings) -> Result<(), String>| {
        let taken = admit(&shown, stage, secret, source).and_then(|()| {
            set(settings).map_err(|reason| {
                let message = format!("{}: {reason}.", written(&shown, text, secret));
                refuse(source, userinfo::hide(&message, text))
            })
        });
        problems.extend(taken.err());
    };
    if let Some((group, rest)) = groups::find(name) {
        match group.entry(rest) {
            Ok((entry, field)) => {
                take(field.stage, field.secret, &|settings| (field.set)(settings, entry, text, source));
            }
            Err(reason) => problems.push(refuse(source, format!("{shown}: {reason}."))),
        }
        return;
    }
    if let Some(key) = keys::find(name) {
        take(key.stage, key.secret, &|settings| (key.set)(settings, text, source));
        return;
    }
    let hint = match nearest(name, keys::names().chain(groups::names())) {
        Some(meant) => format!("did you mean {}?", shown.replace(name, meant)),
        None => "docs/reference/settings.md lists all settings.".to_owned(),
    };
    problems.push(Problem {
        severity: Severity::Warn,
        code: Code::ConfigUnknown,
        source: source.clone(),
        text: format!("{shown} is not a setting of Dayfly; {hint}"),
    });
}

/// A setting and its value for a message; a secret's value never is in one, and a whole text is not for one.
fn written(shown: &str, text: &str, secret: bool) -> String {
    match shown {
        _ if secret => shown.to_owned(),
        _ if text.contains('\n') => format!("{shown} ({} bytes)", text.len()),
        parameter if parameter.ends_with('=') => format!("{parameter}{text}"),
        name => format!("{name} = {text}"),
    }
}

/// Whether this source may set a setting of that stage.
fn admit(shown: &str, stage: Stage, secret: bool, source: &Source) -> Result<(), Problem> {
    if secret && !source.is_private() {
        return Err(Problem {
            severity: Severity::Refuse,
            code: Code::ConfigSecret,
            source: source.clone(),
            text: format!(
                "{shown} is a secret, but others can read it where it stands ({source}); it is taken from \
                 credentials, /config or a settings URL with https only."
            ),
        });
    }
    if source.stage() > stage {
        return Err(Problem {
            severity: Severity::Warn,
            code: Code::ConfigTooLate,
            source: source.clone(),
            text: format!(
                "{shown} comes too late to be used: it is needed before {}, and {source} is read after that.",
                stage.moment()
            ),
        });
    }
    Ok(())
}

fn refuse(source: &Source, text: String) -> Problem {
    Problem { severity: Severity::Refuse, code: Code::ConfigValue, source: source.clone(), text }
}

/// One setting as it stands: name, value, origin. For boot.json and `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The dotted name.
    pub name: String,
    /// The value in the form in which it is written, `-` where there is none.
    pub value: String,
    /// Its origin.
    pub source: Source,
}

impl Settings {
    /// Whether the network is wanted for something else than the image. A report that is asked for only by what comes
    /// over the network, or with the image, has to take what is there.
    pub fn needs_network(&self) -> bool {
        self.network_wanted.value
            || self.settings_url.is_some()
            || self.report.as_ref().is_some_and(|url| url.source.stage() <= Stage::Network)
    }

    /// Every setting with its origin, in the order of the documentation. Of a secret, that there is one and where it
    /// came from is all.
    pub fn shown(&self) -> Vec<Shown> {
        let mut rows: Vec<Shown> = keys::KEYS.iter().flat_map(|key| (key.show)(self, key.name)).collect();
        rows.extend(groups::GROUPS.iter().flat_map(|group| (group.show)(self)));
        rows
    }
}
