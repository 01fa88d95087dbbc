//! Over which ways the server is asked, and its answers.

use std::time::Duration;

use super::{Claims, Way};

impl Claims {
    /// Records since when the server is asked over a way.
    pub fn ask(&self, way: Way, now: Duration) {
        if let Some(contender) = self.field().find(way) {
            (contender.asked, contender.answer) = (Some(now), None);
            contender.first_asked.get_or_insert(now);
        }
    }

    /// Whether the owner still waits for the answer of the server over a way that is asked since then.
    pub fn is_asked(&self, way: Way, since: Duration) -> bool {
        self.field().find(way).is_some_and(|one| one.asked == Some(since) && one.up.is_some())
    }

    /// Records the answer of a server that is asked since then, and wakes the owner.
    pub fn answer(&self, way: Way, since: Duration, answer: Result<(), String>) {
        let mut field = self.field();
        if let Some(contender) = field.find(way).filter(|one| one.asked == Some(since)) {
            contender.answer = Some(answer);
        }
        field.wake_owner();
    }

    /// Ends the questions to the server. The answers stay, for the log.
    pub fn stop_asking(&self) {
        for one in &mut self.field().contenders {
            one.first_asked = None;
            if one.asked.take().is_some() && one.answer.is_none() {
                one.answer = Some(Err("no answer yet".to_owned()));
            }
        }
    }
}
