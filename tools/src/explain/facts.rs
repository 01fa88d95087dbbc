//! The facts that a node would start from, made from the arguments of `dayfly explain`.

use std::fs;
use std::path::{Path, PathBuf};

use super::manifest;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use dayfly_formats::credential;
use dayfly_formats::mac::Mac;
use dayfly_plan::settings::gather;
use dayfly_plan::settings::value::HostName;
use dayfly_plan::{Credential, Document, Fact, Facts, Kind, SettingsFile, Source, Store, Way};

/// The texts and names that a boot starts from.
#[derive(Debug, Args)]
pub struct FactsArgs {
    /// The kernel command line, in one argument
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    cmdline: String,
    #[arg(long, value_name = "FILE", help = file_of(Kind::Initramfs))]
    settings: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = file_of(Kind::Image))]
    image_settings: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = file_of(Kind::Url))]
    settings_url_file: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = file_of(Kind::Config))]
    config: Option<PathBuf>,
    /// The image's manifest, a file with its signatures and its blobs beside it
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FILE",
        help = format!("The machine's {} table, a copy of /sys/firmware/dmi/tables/DMI", title(Kind::Smbios)),
    )]
    smbios: Option<PathBuf>,
    #[arg(
        long,
        value_name = "NAME=VALUE",
        value_parser = parse_credential,
        help = format!("A credential of {}; NAME=@FILE takes its value from a file", title(Kind::FwCfg)),
    )]
    credential: Vec<Assignment>,
    /// The MAC address of an interface; several are possible
    #[arg(long, value_name = "MAC")]
    mac: Vec<Mac>,
    /// The system's UUID, instead of the one in the SMBIOS table
    #[arg(long)]
    uuid: Option<String>,
    /// The system's serial number, instead of the one in the SMBIOS table
    #[arg(long)]
    serial: Option<String>,
    /// The host name that the network would give
    #[arg(long, value_name = "NAME")]
    network_name: Option<String>,
    /// How Dayfly would be started
    #[arg(long, value_enum, default_value_t = WayArg::Initramfs)]
    way: WayArg,
}

/// The documentation's name for a source of settings.
fn title(place: Kind) -> &'static str {
    place.row().doc.title
}

fn file_of(place: Kind) -> String {
    format!("The settings file of {}, TOML", title(place))
}

/// How Dayfly is started, as values of `--way`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum WayArg {
    /// As /init of an initramfs
    Initramfs,
    /// By dracut's module
    Dracut,
    /// As init= on a mounted root
    Root,
}

impl From<WayArg> for Way {
    fn from(arg: WayArg) -> Self {
        match arg {
            WayArg::Initramfs => Way::Initramfs,
            WayArg::Dracut => Way::Dracut,
            WayArg::Root => Way::Root,
        }
    }
}

/// A credential's name, with its value or the file that has the value.
#[derive(Debug, Clone)]
struct Assignment {
    name: String,
    value: String,
}

fn parse_credential(text: &str) -> Result<Assignment, String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE or NAME=@FILE")?;
    credential::check_name(name).map_err(|error| error.to_string())?;
    Ok(Assignment { name: name.to_owned(), value: value.to_owned() })
}

/// Reads the settings file of a source, with the limits that a node applies.
fn settings_file(source: Source, path: &Path) -> Result<Fact> {
    let place = title(source.kind());
    let bytes = fs::read(path)
        .with_context(|| format!("cannot read the settings file of {place}, {}", path.display()))?;
    match Document::from_bytes(bytes) {
        Ok(document) => Ok(Fact::Settings(SettingsFile { source, document })),
        Err(wrong) => bail!("the settings file of {place}, {}: {wrong}", path.display()),
    }
}

impl FactsArgs {
    /// The facts, and what is wrong with those from the firmware.
    pub fn facts(&self) -> Result<(Facts, Vec<String>)> {
        let mut facts = Facts::from_cmdline(self.cmdline.clone()).on_way(self.way.into());
        let mut wrong = Vec::new();
        if let Some(path) = &self.smbios {
            let table = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            wrong = facts.learn_smbios(&table, None);
        }
        if let Some(uuid) = &self.uuid {
            facts.discovered.machine.uuid = Some(uuid.to_ascii_lowercase());
        }
        if let Some(serial) = &self.serial {
            facts.discovered.machine.serial = Some(serial.trim().to_owned());
        }
        facts.discovered.machine.macs.clone_from(&self.mac);
        if let Some(name) = &self.network_name {
            match HostName::given(name) {
                Ok(name) => facts.discovered.machine.network_name = Some(name),
                Err(reason) => wrong.push(format!("--network-name: {reason}; a node ignores this name")),
            }
        }
        for Assignment { name, value } in &self.credential {
            let value = match value.strip_prefix('@') {
                Some(file) => fs::read(file).with_context(|| format!("cannot read {file}"))?,
                None => value.clone().into_bytes(),
            };
            let found = credential::Credential::new(name, value)?;
            match Credential::of_firmware(found) {
                Ok(Some(found)) => facts.learn(Fact::Credential(Store::FwCfg, found)),
                Ok(None) => {
                    bail!("the credential {name} is for the OS; Dayfly's credentials start with \"dayfly.\"")
                }
                Err(why) => wrong.push(format!("{}: {why}", Kind::FwCfg.row().word)),
            }
        }
        for (path, source) in [
            (&self.image_settings, Source::Image),
            (&self.settings, Source::Initramfs),
            (&self.config, Source::Config),
        ] {
            if let Some(path) = path {
                facts.learn(settings_file(source, path)?);
            }
        }
        if let Some(path) = &self.settings_url_file {
            let url = gather(&facts).0.settings.settings_url;
            let Some(url) = url else {
                bail!("--settings-url-file has no effect: settings.url is not set");
            };
            facts.learn(settings_file(Source::Url { secure: url.value.is_secure() }, path)?);
        }
        if let Some(path) = &self.manifest {
            facts.learn(manifest::read(&facts, path)?);
        }
        Ok((facts, wrong))
    }
}
