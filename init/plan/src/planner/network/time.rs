//! The clock, by time servers.

use std::time::Duration;

use crate::network::Network;
use crate::planner::Draft;
use crate::{Action, Deadline, Discovered, OnFailure, Phase, StepId};

/// How long the servers are asked (5 s), and time to find out that none is known.
const LIMIT: Duration = Duration::from_secs(8);

/// Plans the step if a time server may be known.
pub(super) fn plan(draft: &mut Draft, network: &Network) {
    if !network.may_know_time_server() {
        draft.without(&[StepId::Time], "no time server is named");
        return;
    }
    draft.add(
        Phase::Network,
        StepId::Time,
        &[StepId::Network],
        Action::SetClock,
        Deadline::Optional(LIMIT),
        OnFailure::Continue("the OS sets its clock itself"),
    );
}

/// Whether a step that connects by TLS waits for the time servers: only if the clock is certainly wrong.
pub(in crate::planner) fn is_awaited(draft: &mut Draft, discovered: &Discovered, is_secure: bool) -> bool {
    let is_awaited = is_secure && discovered.clock_was_unset && draft.has(StepId::Time);
    let note = "The clock was not set: what is fetched by https waits for the time servers.";
    if is_awaited && !draft.notes.iter().any(|known| known == note) {
        draft.notes.push(note.to_owned());
    }
    is_awaited
}
