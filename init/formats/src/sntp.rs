//! SNTP, the client's side (RFC 4330, RFC 5905 section 14): one request, one reply.
//!
//! The reply is not authenticated. The only proof that it answers the request is the originate timestamp, so the request
//! has random bytes there instead of the time.

use std::fmt;
use std::time::Duration;

/// The length of a message without extension fields.
pub const LENGTH: usize = 48;

/// No leap second announced, version 4, mode 3 (client).
const CLIENT: u8 = 4 << 3 | 3;
const MODE_SERVER: u8 = 4;
/// Seconds from 1900, the start of NTP's era 0, to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// What a server says about the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// Distance from a reference clock: 1 has one itself, 15 is the largest.
    pub stratum: u8,
    /// When the request came to the server, since 1970.
    pub received: Duration,
    /// When the server sent the reply, since 1970.
    pub sent: Duration,
}

/// Why a reply is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyError {
    /// Shorter than a message.
    Short(usize),
    /// Not from a server.
    Mode(u8),
    /// A version that does not exist.
    Version(u8),
    /// Not the answer to this request.
    Originate,
    /// The server gives no time and says why ("kiss-o'-death"), in four characters of printable ASCII.
    Refused([u8; 4]),
    /// The server's own clock is not synchronised.
    Unsynchronised,
    /// A timestamp is zero, before 1970, or the reply was sent before the request was received.
    Time,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplyError::Short(length) => write!(f, "the reply has {length} bytes, fewer than {LENGTH}"),
            ReplyError::Mode(mode) => write!(f, "the reply has mode {mode}, not {MODE_SERVER} (server)"),
            ReplyError::Version(version) => write!(f, "the reply has version {version}, not 1 to 4"),
            ReplyError::Originate => f.write_str("the originate timestamp is not that of the request"),
            ReplyError::Refused(code) => {
                write!(f, "the server gives no time (kiss code {})", String::from_utf8_lossy(code))
            }
            ReplyError::Unsynchronised => f.write_str("the server's clock is not synchronised"),
            ReplyError::Time => f.write_str("the reply has impossible timestamps"),
        }
    }
}

impl std::error::Error for ReplyError {}

/// A request. The server returns the random bytes.
pub fn request(random: [u8; 8]) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    message.iter_mut().take(1).for_each(|first| *first = CLIENT);
    message.iter_mut().skip(40).zip(random).for_each(|(slot, byte)| *slot = byte);
    message
}

impl Reply {
    /// Reads the reply to the request with these random bytes.
    pub fn parse(bytes: &[u8], random: [u8; 8]) -> Result<Reply, ReplyError> {
        let Some((message, _)) = bytes.split_first_chunk::<LENGTH>() else {
            return Err(ReplyError::Short(bytes.len()));
        };
        let [first, stratum, ..] = *message;
        if first & 7 != MODE_SERVER {
            return Err(ReplyError::Mode(first & 7));
        }
        // This check is before those of the content: otherwise any host could refuse in the name of the server.
        if field::<8>(message, 24) != random {
            return Err(ReplyError::Originate);
        }
        let version = first >> 3 & 7;
        if !(1..=4).contains(&version) {
            return Err(ReplyError::Version(version));
        }
        let code = field::<4>(message, 12);
        if stratum == 0 && code.iter().all(u8::is_ascii_graphic) {
            return Err(ReplyError::Refused(code));
        }
        // A server that is not synchronised sends stratum 0 for 16 (RFC 5905 section 7.3), without a code.
        if first >> 6 == 3 || !(1..=15).contains(&stratum) {
            return Err(ReplyError::Unsynchronised);
        }
        match (time(field(message, 32)), time(field(message, 40))) {
            (Some(received), Some(sent)) if received <= sent => Ok(Reply { stratum, received, sent }),
            _ => Err(ReplyError::Time),
        }
    }

    /// The time since 1970 when the reply arrived, if both directions took equally long. `round_trip` is the time from
    /// the request to the reply on the client's clock.
    pub fn time_at_arrival(&self, round_trip: Duration) -> Duration {
        let in_server = self.sent.saturating_sub(self.received);
        self.sent.saturating_add(round_trip.saturating_sub(in_server) / 2)
    }
}

fn field<const N: usize>(message: &[u8; LENGTH], at: usize) -> [u8; N] {
    message.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

/// A timestamp as time since 1970. Seconds with the highest bit are in era 0 (to February 2036), others in era 1 (to
/// 2104), as RFC 4330 section 3 says.
fn time(stamp: [u8; 8]) -> Option<Duration> {
    let stamp = u64::from_be_bytes(stamp);
    if stamp == 0 {
        return None;
    }
    let (seconds, fraction) = (stamp >> 32, stamp & 0xffff_ffff);
    let era = if seconds >> 31 == 1 { 0 } else { 1 << 32 };
    let since_1970 = (seconds + era).checked_sub(UNIX_EPOCH)?;
    Some(Duration::from_secs(since_1970) + Duration::from_nanos((fraction * 1_000_000_000) >> 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u8; 8] = *b"\x01random\xff";
    /// 2026-11-28 00:00:00 UTC.
    const NOW: u64 = 1_795_824_000;

    fn reply(change: impl FnOnce(&mut [u8; LENGTH])) -> Result<Reply, ReplyError> {
        let mut message = [0; LENGTH];
        message[0] = 4 << 3 | 4;
        message[1] = 2;
        message[24..32].copy_from_slice(&RANDOM);
        message[32..40].copy_from_slice(&((NOW + UNIX_EPOCH) << 32).to_be_bytes());
        message[40..48].copy_from_slice(&((NOW + UNIX_EPOCH) << 32 | 0x8000_0000).to_be_bytes());
        change(&mut message);
        Reply::parse(&message, RANDOM)
    }

    #[test]
    fn the_request_is_a_clients_with_the_random_bytes() {
        let message = request(RANDOM);
        assert_eq!(message[0], 0x23);
        assert_eq!(message[1..40], [0; 39]);
        assert_eq!(message[40..], RANDOM);
    }

    #[test]
    fn a_good_reply_gives_the_time() {
        let found = reply(|_| ()).unwrap();
        let received = Duration::from_secs(NOW);
        assert_eq!(found, Reply { stratum: 2, received, sent: received + Duration::from_millis(500) });
        // 700 ms on the way in both directions, 500 ms of it in the server.
        assert_eq!(found.time_at_arrival(Duration::from_millis(700)), received + Duration::from_millis(600));
        assert_eq!(found.time_at_arrival(Duration::ZERO), found.sent);
    }

    #[test]
    fn unusable_replies_have_their_reason() {
        for (at, bytes, error) in [
            (0, &[0x23][..], ReplyError::Mode(3)),
            (0, &[0x25], ReplyError::Mode(5)),
            (0, &[0x04], ReplyError::Version(0)),
            (0, &[0x2c], ReplyError::Version(5)),
            (0, &[0xe4], ReplyError::Unsynchronised),
            (1, &[16], ReplyError::Unsynchronised),
            (1, &[0], ReplyError::Unsynchronised),
            (31, &[0], ReplyError::Originate),
            (40, &[0; 8], ReplyError::Time),
            (32, &[0; 8], ReplyError::Time),
            // 1968.
            (32, &[0x80, 0, 0, 0], ReplyError::Time),
            // Sent before it was received.
            (32, &[0xff, 0xff, 0xff, 0xff], ReplyError::Time),
        ] {
            assert_eq!(
                reply(|message| message[at..at + bytes.len()].copy_from_slice(bytes)),
                Err(error),
                "{at} {bytes:?}"
            );
        }
        assert_eq!(Reply::parse(&[0x24; 47], RANDOM), Err(ReplyError::Short(47)));
    }

    #[test]
    fn a_refusal_counts_only_with_the_random_bytes() {
        let refuse = |message: &mut [u8; LENGTH]| {
            message[1] = 0;
            message[12..16].copy_from_slice(b"RATE");
        };
        assert_eq!(reply(refuse), Err(ReplyError::Refused(*b"RATE")));
        let forged = reply(|message| {
            refuse(message);
            message[24] ^= 1;
        });
        assert_eq!(forged, Err(ReplyError::Originate));
    }

    #[test]
    fn eras_meet_in_2036() {
        assert_eq!(time([0xff; 8]).map(|time| time.as_secs()), Some(2_085_978_495));
        assert_eq!(time([0, 0, 0, 0, 0, 0, 0, 1]).map(|time| time.as_secs()), Some(2_085_978_496));
    }
}
