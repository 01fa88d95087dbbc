//! The settings and their defaults.

mod k0s;
mod k3s;
mod kubelet;
mod network;
mod node;
mod script;

use std::collections::BTreeMap;
use std::time::Duration;

use dayfly_formats::minisign::PublicKey;

pub use self::k0s::K0sSettings;
pub use self::k3s::K3sSettings;
pub use self::kubelet::KubeletSettings;
pub use self::network::NetworkSettings;
pub use self::node::{FileSettings, NodeSettings, UnitSettings, UserSettings};
pub use self::script::Script;
use super::value::{DeviceRef, Emergency, HostName, ImageSource, Sha256, Size, Trust, Url, UrlTemplate};
use crate::layout::{self, Layout};
use crate::{HostKeys, Phase, Source, Sourced, Stage};

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The OS image.
    pub image: Option<Sourced<ImageSource>>,
    /// Its SHA-256.
    pub image_sha256: Option<Sourced<Sha256>>,
    /// The keys that sign its manifest.
    pub image_keys: Vec<Sourced<PublicKey>>,
    /// The number of signatures that its manifest must have.
    pub image_threshold: Sourced<u32>,
    /// Limit for name resolution, connection and TLS handshake together.
    pub image_connect: Sourced<Duration>,
    /// Longest time without data from the server.
    pub image_stall: Sourced<Duration>,
    /// Minimum rate of a transfer, in bytes per second.
    pub image_min_rate: Sourced<u64>,
    /// `rd.live.dir`: the directory of the image on a disk.
    pub live_dir: Sourced<String>,
    /// `rd.live.squashimg`: the image's file name.
    pub live_file: Sourced<String>,
    /// How long network and image are retried before the boot fails.
    pub retry: Sourced<Duration>,
    /// How long to wait for a disk.
    pub device_wait: Sourced<Duration>,
    /// The disk with the settings file. `None`: no search.
    pub config_device: Sourced<Option<DeviceRef>>,
    /// How long to wait for that disk if the settings name it.
    pub config_wait: Sourced<Duration>,
    /// The trust in that disk.
    pub config_trust: Sourced<Trust>,
    /// The settings file on a server.
    pub settings_url: Option<Sourced<UrlTemplate>>,
    /// The limit for all attempts to fetch it.
    pub settings_wait: Sourced<Duration>,
    /// Whether the boot fails without it.
    pub settings_required: Sourced<bool>,
    /// The trust in it if it comes over plain http.
    pub settings_trust: Sourced<Trust>,
    /// The network.
    pub network: NetworkSettings,
    /// Modules that are never loaded.
    pub modules_blacklist: Vec<Sourced<String>>,
    /// Modules that are always loaded.
    pub modules_load: Vec<Sourced<String>>,
    /// The disk for persistent state.
    pub state_device: Sourced<DeviceRef>,
    /// Whether a blank disk becomes the state disk if there is none.
    pub state_create: Sourced<bool>,
    /// The blank disk to use.
    pub state_disk: Option<Sourced<DeviceRef>>,
    /// The file system to create.
    pub state_fstype: Sourced<String>,
    /// Scripts from Git repositories, by name.
    pub scripts: BTreeMap<String, Script>,
    /// The limit of the root's tmpfs.
    pub root_size: Option<Sourced<Size>>,
    /// The policies by path.
    pub layout: Layout,
    /// The node's name.
    pub hostname: Option<Sourced<HostName>>,
    /// Files, users, sysctls and units.
    pub node: NodeSettings,
    /// Modules of the image that are loaded for the OS.
    pub os_modules: Vec<Sourced<String>>,
    /// What Dayfly does with the ssh host keys.
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
    /// The action after a failure.
    pub emergency: Option<Sourced<Emergency>>,
    /// `panic=`: seconds until the reboot after a failure. 0 waits forever, a negative number does not wait.
    pub panic: Option<Sourced<i64>>,
    /// Stop for a shell before this phase.
    pub break_before: Option<Sourced<Phase>>,
    /// Where boot.json is sent.
    pub report: Option<Sourced<Url>>,
    /// The time limit for sending it.
    pub report_wait: Sourced<Duration>,
    /// Whether all details are logged to the console.
    pub debug: Sourced<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        let seconds = |count| Sourced::default_of(Duration::from_secs(count));
        Self {
            image: None,
            image_sha256: None,
            image_keys: Vec::new(),
            image_threshold: Sourced::default_of(1),
            image_connect: seconds(10),
            image_stall: seconds(15),
            image_min_rate: Sourced::default_of(16 << 10),
            live_dir: Sourced::default_of("LiveOS".to_owned()),
            live_file: Sourced::default_of("squashfs.img".to_owned()),
            retry: seconds(180),
            device_wait: seconds(30),
            config_device: Sourced::default_of(Some(DeviceRef::Label("config".to_owned()))),
            config_wait: seconds(30),
            config_trust: Sourced::default_of(Trust::Any),
            settings_url: None,
            settings_wait: seconds(60),
            settings_required: Sourced::default_of(true),
            settings_trust: Sourced::default_of(Trust::Limited),
            network: NetworkSettings::default(),
            modules_blacklist: Vec::new(),
            modules_load: Vec::new(),
            state_device: Sourced::default_of(DeviceRef::Label("state".to_owned())),
            state_create: Sourced::default_of(false),
            state_disk: None,
            state_fstype: Sourced::default_of("ext4".to_owned()),
            scripts: BTreeMap::new(),
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
        }
    }
}

impl Settings {
    /// The URL of the image's manifest, if the image has one.
    pub fn manifest(&self) -> Option<&Url> {
        match self.image.as_ref().map(|image| &image.value) {
            Some(ImageSource::Url(url)) => Some(url).filter(|url| url.is_manifest()),
            Some(ImageSource::Device { .. } | ImageSource::File(_)) | None => None,
        }
    }

    /// Whether only an image with a signed manifest may be booted.
    pub fn demands_signatures(&self) -> bool {
        !self.image_keys.is_empty() || self.image_threshold.source != Source::Default
    }

    /// The keys that sign manifests, each once: two signatures of one key are one.
    pub fn signing_keys(&self) -> Vec<PublicKey> {
        let mut keys: Vec<PublicKey> = Vec::new();
        for key in &self.image_keys {
            if !keys.iter().any(|there| there.is_same(&key.value)) {
                keys.push(key.value.clone());
            }
        }
        keys
    }

    /// Whether something other than the image needs the network. A report URL that comes from the network or the image
    /// does not count: it can only use a network that is already up.
    pub fn needs_network(&self) -> bool {
        self.network.wanted.value
            || self.settings_url.is_some()
            || self.report.as_ref().is_some_and(|url| url.source.stage() <= Stage::Network)
    }
}
