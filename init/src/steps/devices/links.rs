//! The MAC addresses that rules of settings files ask for.

use std::time::Duration;

use dayfly_formats::mac::Mac;
use dayfly_plan::{Code, Fact};
use dayfly_sys::LinkKind;

use crate::context::{Context, Done};
use crate::{Failure, Learned};

/// A driver may be loaded before its interface is there.
const POLL: Duration = Duration::from_millis(50);

/// The addresses of the Ethernet interfaces; waits for the first one, as a rule that meets none would not hold.
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
            let detail = if names.is_empty() { "there is no interface".to_owned() } else { names.join(" ") };
            return Ok(Done::with(detail).and(Learned::Fact(Fact::Macs(macs))));
        }
        cx.sys.sleep(POLL);
    }
}
