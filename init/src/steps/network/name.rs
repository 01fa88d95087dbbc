//! The node's name if the settings do not set one.

use dayfly_plan::Fact;
use dayfly_plan::settings::value::HostName;

use crate::Learned;
use crate::context::{Context, Done};
use crate::steps::image::mounted_root;

/// Reports the name as a fact, for the rules that match on it.
pub fn read(cx: &Context) -> Done {
    match given(cx) {
        Some((name, origin)) => {
            Done::with(format!("{name} (from {origin})")).and(Learned::Fact(Fact::NetworkName(name)))
        }
        None => Done::with("no server sent a name"),
    }
}

/// The name of this node if the settings do not set one, and its source: the hostname of an installed OS, else the name
/// from `ip=` or the network. Rules that match on the name and `${hostname}` in a URL use this name.
pub fn given(cx: &Context) -> Option<(HostName, &'static str)> {
    let own = cx.known.mounted_root.as_ref().and_then(|_| of_root(cx));
    let network = || cx.known.network.as_ref()?.hostname.clone();
    own.map(|name| (name, mounted_root::ORIGIN)).or_else(|| network().map(|name| (name, "network")))
}

/// The name of the installed OS, hostname(5). The default name of an installer does not count.
fn of_root(cx: &Context) -> Option<HostName> {
    let text = mounted_root::line(cx, "hostname")?;
    let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    HostName::given(name).ok()
}
