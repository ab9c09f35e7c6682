//! What is wrong with the parameters of a kind of fault, and how a kind is told. It knows nothing of where and when.

use std::fmt;
use std::time::Duration;

use super::{BURST_SLOT, FaultKind, SegmentFate, duration_text, millis};

impl FaultKind {
    /// What is wrong with its parameters, in one line; none if it can be carried out.
    pub(super) fn defect(&self) -> Option<String> {
        match self {
            FaultKind::Loss { rate } if !(0.0..=1.0).contains(rate) => {
                return Some(format!("loss rate {rate} is not between 0 and 1"));
            }
            FaultKind::BurstLoss { rate, .. } if !(0.0..=1.0).contains(rate) => {
                return Some(format!("the rate {rate} of losses in a burst is not between 0 and 1"));
            }
            FaultKind::BurstLoss { gap, burst, .. } if *gap.min(burst) < BURST_SLOT => {
                return Some(format!(
                    "burst loss needs a `gap` and a `burst` of at least {}",
                    duration_text(BURST_SLOT)
                ));
            }
            FaultKind::Bandwidth { bytes_per_second: 0, .. } => {
                return Some("a bandwidth of nothing is a partition; at least 1 byte per second must pass".to_owned());
            }
            FaultKind::DiskErrors { rate, .. } if !(0.0..=1.0).contains(rate) => {
                return Some(format!("the rate {rate} of disk errors is not between 0 and 1"));
            }
            FaultKind::DiskCorruption { rate } if !(0.0..=1.0).contains(rate) => {
                return Some(format!("the rate {rate} of flipped reads is not between 0 and 1"));
            }
            FaultKind::DiskSlow { read, write, sync } if [read, write, sync].iter().all(|by| by.is_zero()) => {
                return Some("a slow disk needs a time for some of its calls".to_owned());
            }
            FaultKind::Corrupt { rate } if !(0.0..=1.0).contains(rate) => {
                return Some(format!("corrupt rate {rate} is not between 0 and 1"));
            }
            FaultKind::Trickle { bytes: 0, .. } => {
                return Some("a trickle of nothing is a stall; at least 1 byte must arrive each time".to_owned());
            }
            FaultKind::Trickle { every: Duration::ZERO, .. } => {
                return Some("a trickle needs some time from one arrival to the next (`every`)".to_owned());
            }
            FaultKind::ShortReads { at_most_bytes: 0 } => {
                return Some("a read of nothing would be the end of the stream; it returns at least 1 byte".to_owned());
            }
            FaultKind::ShortWrites { at_most_bytes: 0 } => {
                return Some("a write must accept at least 1 byte".to_owned());
            }
            FaultKind::SmallWindow { bytes: 0 } => {
                return Some("a window of nothing is a stall; there must be room for at least 1 byte".to_owned());
            }
            FaultKind::Latency { at_least, at_most } if at_least > at_most => {
                return Some("latency `at_least` exceeds `at_most`".to_owned());
            }
            FaultKind::OutOfMemory { in_flight: 0, .. } => {
                return Some("a program without memory for a single request in flight never runs".to_owned());
            }
            FaultKind::ClockSkew { by_ms } if *by_ms == 0 || by_ms.unsigned_abs() > LARGEST_SKEW_MS => {
                return Some(format!("a clock skew of {by_ms} ms is nothing, or more than 10^12 ms"));
            }
            FaultKind::ClockDrift { parts_per_million: ppm } if *ppm == 0 || ppm.unsigned_abs() >= 1_000_000 => {
                return Some(format!("a clock drift of {ppm} ppm is nothing, or not less than a million"));
            }
            FaultKind::Segments { fates } => {
                if let Some(defect) = fates.iter().find_map(SegmentFate::defect) {
                    return Some(defect);
                }
            }
            _ => {}
        }
        None
    }
}

/// Its name and its parameters.
impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())?;
        match self {
            FaultKind::Loss { rate } => write!(f, " {:.1} %", rate * 100.0)?,
            FaultKind::BurstLoss { gap, burst, rate } => {
                let (gap, burst) = (duration_text(*gap), duration_text(*burst));
                write!(f, " {:.1} % in bursts of {burst}, {gap} apart", rate * 100.0)?;
            }
            FaultKind::Latency { at_least, at_most } => {
                write!(f, " +{}..{}", duration_text(*at_least), duration_text(*at_most))?;
            }
            FaultKind::LatencyWave { peak } => write!(f, " up to +{}", duration_text(*peak))?,
            FaultKind::Bandwidth { bytes_per_second, queue_bytes } => {
                write!(f, " {} per second, queue {}", bytes_text(*bytes_per_second), bytes_text(*queue_bytes))?;
            }
            FaultKind::Stop { grace } => write!(f, " (grace {})", duration_text(*grace))?,
            FaultKind::DiskErrors { rate, .. } => write!(f, " {:.1} %", rate * 100.0)?,
            FaultKind::DiskFull { free_bytes } => write!(f, " ({} free)", bytes_text(*free_bytes))?,
            FaultKind::DiskSlow { read, write, sync } => {
                let words = [(read, "read"), (write, "write"), (sync, "sync")];
                let slow = words.into_iter().filter(|(by, _)| !by.is_zero());
                let words: Vec<String> = slow.map(|(by, call)| format!("+{} a {call}", duration_text(*by))).collect();
                write!(f, " ({})", words.join(", "))?;
            }
            FaultKind::DiskCorruption { rate } => write!(f, " {:.1} %", rate * 100.0)?,
            FaultKind::Reset { after_bytes } | FaultKind::Close { after_bytes } | FaultKind::Stall { after_bytes } => {
                write!(f, " after {}", bytes_text(*after_bytes))?;
            }
            FaultKind::Trickle { bytes, every } => {
                write!(f, " {} each {}", bytes_text(*bytes), duration_text(*every))?;
            }
            FaultKind::Corrupt { rate } => write!(f, " {:.1} %", rate * 100.0)?,
            FaultKind::CloseIdle { idle_for } => write!(f, " after {}", duration_text(*idle_for))?,
            FaultKind::ShortReads { at_most_bytes } | FaultKind::ShortWrites { at_most_bytes } => {
                write!(f, " of at most {}", bytes_text(*at_most_bytes))?;
            }
            FaultKind::SmallWindow { bytes } => write!(f, " of {}", bytes_text(*bytes))?,
            FaultKind::SlowStart { by } | FaultKind::DnsSlow { by } => write!(f, " by {}", duration_text(*by))?,
            FaultKind::OutOfMemory { in_flight, restart_after } => {
                let restart_after = duration_text(*restart_after);
                write!(f, " at {in_flight} requests in flight (restart after {restart_after})")?;
            }
            FaultKind::ClockSkew { by_ms } => {
                let sign = if *by_ms < 0 { '-' } else { '+' };
                write!(f, " {sign}{}", duration_text(millis(by_ms.unsigned_abs())))?;
            }
            FaultKind::ClockDrift { parts_per_million } => write!(f, " {parts_per_million:+} ppm")?,
            _ => {}
        }
        Ok(())
    }
}

/// No wall clock is wrong by more: about 31 years, so that sums of several stay far from the ends of 64 bits.
const LARGEST_SKEW_MS: u64 = 1_000_000_000_000;

/// A number of bytes in the largest unit in which it is whole: `64 kB`.
fn bytes_text(bytes: u64) -> String {
    match bytes {
        0 => "0 B".to_owned(),
        bytes if bytes.is_multiple_of(1_000_000) => format!("{} MB", bytes / 1_000_000),
        bytes if bytes.is_multiple_of(1_000) => format!("{} kB", bytes / 1_000),
        bytes => format!("{bytes} B"),
    }
}
