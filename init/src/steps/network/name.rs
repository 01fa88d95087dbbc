//! The node's name where the settings give none.

use dayfly_plan::Fact;
use dayfly_plan::settings::value::HostName;

use crate::Learned;
use crate::context::{Context, Done};
use crate::steps::image::mounted_root;

/// Takes that name for the machine's, for the rules that ask for it.
pub fn read(cx: &Context) -> Done {
    match given(cx) {
        Some((name, origin)) => {
            Done::with(format!("{name} (from {origin})")).and(Learned::Fact(Fact::NetworkName(name)))
        }
        None => Done::with("no server gives one"),
    }
}

/// The name that this node has where the settings give none, and who gave it: what an installed OS calls itself, else what
/// the network or an `ip=` word says. Rules that ask for the name and `${hostname}` in a URL mean this one.
pub fn given(cx: &Context) -> Option<(HostName, &'static str)> {
    let own = cx.known.mounted_root.as_ref().and_then(|_| of_root(cx));
    let network = || cx.known.network.as_ref()?.hostname.clone();
    own.map(|name| (name, mounted_root::ORIGIN)).or_else(|| network().map(|name| (name, "network")))
}

/// What the installed OS calls itself, hostname(5). The name that an installer leaves where nobody gave one is none.
fn of_root(cx: &Context) -> Option<HostName> {
    let text = mounted_root::line(cx, "hostname")?;
    let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    HostName::given(name).ok()
}
