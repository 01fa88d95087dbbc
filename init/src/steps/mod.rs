//! The implementation of each action. There is a directory for each phase of the boot; [`perform`] maps actions to
//! functions.

mod devices;
pub(crate) mod handover;
mod http;
pub(crate) mod image;
mod kubernetes;
mod network;
mod node;
mod root;
mod state;

use dayfly_plan::Action;

use crate::Failure;
use crate::context::{Context, Done};

/// Performs the action.
pub fn perform(action: &Action, cx: &Context) -> Result<Done, Failure> {
    #[cfg(feature = "fault")]
    crate::fault::strike(cx)?;
    match action {
        Action::LoadDrivers { blacklist } => devices::drivers::load_drivers(cx, blacklist),
        Action::LoadModules { names } => devices::drivers::load_modules(cx, names),
        Action::ReadCredentials => devices::credentials::read(cx),
        Action::ReadConfig(search) => devices::config::read(cx, search),
        Action::ReadLinks { bootif, wait } => devices::links::read(cx, *bootif, *wait),
        Action::ReadLastBoot { device } => state::last_boot::read(cx, device),
        Action::RaceNetwork(network) => network::race(cx, network),
        Action::SettleNetwork => network::settle(cx),
        Action::SetClock => network::time::set_clock(cx),
        Action::ReadName => Ok(network::name::read(cx)),
        Action::FetchSettings { url, limits } => network::settings::fetch(cx, url, *limits),
        Action::ReadManifest(plan) => image::manifest::read(cx, plan),
        Action::Fetch { layers, limits } => image::fetch::fetch(cx, layers, *limits),
        Action::FindImage { layers } => image::find::find(cx, layers),
        Action::Verify { layers } => image::verify::verify(cx, layers),
        Action::UseRoot => image::mounted_root::take(cx),
        Action::MountImage { layers, file } => image::mount::mount(cx, layers, file),
        Action::ReadDefaults => image::defaults::read(cx),
        Action::FindInit { init } => image::init::find(cx, init.as_deref()),
        Action::OpenState(search) => state::open(cx, search),
        Action::MountRoot { size } => root::overlay::mount(cx, *size),
        Action::ApplyLayout { entries } => root::layout::apply(cx, entries),
        Action::WriteIdentity(plan) => node::identity::write(cx, plan),
        Action::LoadOsModules { names } => node::sysctls::load_modules(cx, names),
        Action::SetSysctls(sysctls) => node::sysctls::set(cx, sysctls),
        Action::WriteFiles(files) => node::files::write(cx, files),
        Action::SetUpUsers(users) => node::users::set_up(cx, users),
        Action::WriteUnits(units) => node::units::write(cx, units),
        Action::MakeHostKeys(policy) => node::host_keys::make(cx, *policy),
        Action::PrepareKernel(needs) => kubernetes::prepare(cx, needs),
        Action::HandNetworkOver(keeper) => node::address::hand_over(cx, *keeper),
        Action::StageKubelet(plan) => kubernetes::kubelet::stage(cx, plan),
        Action::StageK0s(plan) => kubernetes::k0s::stage(cx, plan),
        Action::StageK3s(plan) => kubernetes::k3s::stage(cx, plan),
        Action::Report { url } => handover::report::send(cx, url),
        Action::StageScripts(plans) => node::scripts::stage(cx, plans),
        Action::KeepForNextBoot => state::last_boot::keep(cx),
        Action::KeepRecord => handover::report::keep(cx),
        Action::SwitchRoot { .. } => handover::switch(cx),
        Action::LeaveToDracut => Ok(handover::leave(cx)),
        Action::Exec { args } => handover::exec(cx, args),
    }
}
