//! Which headers are kept.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// Those that promises need.
const DEFAULT: [&str; 17] = [
    "age",
    "connection",
    "content-length",
    "content-type",
    "grpc-message",
    "grpc-retry-pushback-ms",
    "grpc-status",
    "grpc-timeout",
    "idempotency-key",
    "retry-after",
    "traceparent",
    "warning",
    "x-deadline-ms",
    "x-envoy-expected-rq-timeout-ms",
    "x-request-id",
    "x-request-timeout-ms",
    "x-served-by",
];

/// Those that hold secrets: a digest stands for the value.
const SECRET: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// The headers of requests and responses that an exchange keeps: those that promises need, and those that are added.
/// Credentials are kept as a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptHeaders {
    added: Vec<String>,
}

impl KeptHeaders {
    /// Keeps this header, too.
    pub fn add(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        if !self.added.contains(&name) {
            self.added.push(name);
            self.added.sort_unstable();
        }
    }

    /// The name in lower case and the value that stands for a header; `None` if it is not kept.
    pub(super) fn keep(&self, name: &[u8], value: &[u8]) -> Option<(String, String)> {
        let names = DEFAULT.iter().copied().chain(self.added.iter().map(String::as_str));
        if let Some(name) = names.into_iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name)) {
            return Some((name.to_owned(), String::from_utf8_lossy(value).into_owned()));
        }
        let name = SECRET.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        let mut digest = SipHasher13::new();
        digest.write(value);
        Some(((*name).to_owned(), format!("{:016x}", digest.finish())))
    }
}
