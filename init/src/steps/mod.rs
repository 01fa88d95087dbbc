//! What each action does. One file for each group of actions; [`perform`] is the table.

mod address;
mod config;
mod container;
mod credentials;
mod defaults;
mod drivers;
mod fetch;
mod files;
mod fstab;
pub mod handover;
mod hasher;
mod host_keys;
mod hosts;
mod http;
mod identity;
mod image;
mod init;
mod k0s;
mod k3s;
mod kubelet;
mod kubernetes;
mod layout;
mod machine;
mod mounted_root;
mod network;
mod os_disk;
pub mod report;
mod root;
mod scripts;
mod settings;
mod state;
mod sysctls;
mod units;
mod users;
pub(crate) mod verify;

use std::path::Path;

use dayfly_plan::Action;

use crate::Failure;
use crate::context::{Context, Done};

/// Does it.
pub fn perform(action: &Action, cx: &Context) -> Result<Done, Failure> {
    #[cfg(feature = "fault")]
    crate::fault::strike(cx)?;
    match action {
        Action::LoadDrivers { blacklist } => drivers::load_drivers(cx, blacklist),
        Action::LoadModules { names } => drivers::load_modules(cx, names),
        Action::ReadCredentials => credentials::read(cx),
        Action::ReadConfig(search) => config::read(cx, search),
        Action::ReadLinks { bootif } => machine::links(cx, *bootif),
        Action::RaceNetwork(plan) => network::race(cx, plan),
        Action::SettleNetwork => network::settle(cx),
        Action::ReadName => Ok(machine::name(cx)),
        Action::FetchSettings { url, patience } => settings::fetch(cx, url, *patience),
        Action::AwaitImage => image::missing(),
        Action::Fetch { url, patience, hash } => fetch::fetch(cx, url, *patience, *hash),
        Action::FindImage { device, file } => image::find(cx, device, file.as_deref()),
        Action::UseFile { path } => image::take(cx, Path::new(path)),
        Action::Verify { sha256 } => verify::verify(cx, sha256),
        Action::UseRoot => mounted_root::take(cx),
        Action::MountImage { file, integrity } => image::mount(cx, file, *integrity),
        Action::ReadDefaults => defaults::read(cx),
        Action::FindInit { init } => init::find(cx, init.as_deref()),
        Action::OpenState(search) => state::open(cx, search),
        Action::MountRoot { size } => root::mount(cx, *size),
        Action::ApplyLayout { entries } => layout::apply(cx, entries),
        Action::WriteIdentity(plan) => identity::write(cx, plan),
        Action::LoadOsModules { names } => sysctls::load_modules(cx, names),
        Action::SetSysctls(sysctls) => sysctls::set(cx, sysctls),
        Action::WriteFiles(files) => files::write(cx, files),
        Action::SetUpUsers(users) => users::set_up(cx, users),
        Action::WriteUnits(units) => units::write(cx, units),
        Action::MakeHostKeys(policy) => host_keys::make(cx, *policy),
        Action::PrepareKernel(needs) => kubernetes::prepare(cx, needs),
        Action::HandNetworkOver(keeper) => address::hand_over(cx, *keeper),
        Action::StageKubelet(plan) => kubelet::stage(cx, plan),
        Action::StageK0s(plan) => k0s::stage(cx, plan),
        Action::StageK3s(plan) => k3s::stage(cx, plan),
        Action::Report { url, wait } => report::send(cx, url, *wait),
        Action::StageScripts(plans) => scripts::stage(cx, plans),
        Action::KeepRecord => report::keep(cx),
        Action::SwitchRoot { .. } => handover::switch(cx),
        Action::LeaveToDracut => Ok(handover::leave(cx)),
        Action::Exec { args } => handover::exec(cx, args),
    }
}
