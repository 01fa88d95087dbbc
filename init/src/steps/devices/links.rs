//! Reads the MAC addresses for the rules in settings files.

use std::time::Duration;

use dayfly_formats::mac::Mac;
use dayfly_plan::{Code, Fact};
use dayfly_sys::LinkKind;

use crate::context::{Context, Done};
use crate::{Failure, Learned};

/// The interface may appear some time after its driver was loaded.
const POLL: Duration = Duration::from_millis(50);

/// Reads the addresses of the Ethernet interfaces. Waits for the first one, because without any address no rule with a
/// MAC address would match.
pub fn read(cx: &Context, bootif: Option<Mac>, wait: Duration) -> Result<Done, Failure> {
    let until = cx.sys.now() + wait;
    loop {
        let links = cx
            .sys
            .links()
            .map_err(|error| Failure::from_sys(Code::NetNoLink, "read the MAC addresses", &error))?;
        let ethernet = links.iter().filter(|link| link.kind == LinkKind::Ethernet);
        let mut macs: Vec<Mac> = ethernet.filter_map(|link| link.mac).map(Mac).collect();
        if !macs.is_empty() || cx.sys.now() >= until {
            macs.extend(bootif);
            macs.sort_unstable();
            macs.dedup();
            let names: Vec<String> = macs.iter().map(ToString::to_string).collect();
            let detail = if names.is_empty() { "no interface".to_owned() } else { names.join(" ") };
            return Ok(Done::with(detail).and(Learned::Fact(Fact::Macs(macs))));
        }
        cx.sys.sleep(POLL);
    }
}
