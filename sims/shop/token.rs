//! Session tokens that every server can verify and none has to remember.
//!
//! Owns the format `<user, in hex>.<expiry, in unix seconds>.<HMAC-SHA256, in hex>`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The longest user name that gets a token.
pub const USER_LIMIT_BYTES: usize = 64;

/// Signs a token for a user, which every holder of the secret accepts until `lifetime` from now.
pub fn sign(secret: &[u8], user: &str, lifetime: Duration) -> String {
    let expiry = (unix_now() + lifetime).as_secs();
    let mut token = hex(user.as_bytes());
    token.push('.');
    token.push_str(&expiry.to_string());
    let signature = mac(secret, &token).finalize().into_bytes();
    token.push('.');
    token.push_str(&hex(&signature));
    token
}

/// The user that a token belongs to; `None` if it is malformed, tampered with or expired.
pub fn verify(secret: &[u8], token: &str) -> Option<String> {
    let (claim, signature) = token.rsplit_once('.')?;
    // The comparison takes constant time.
    mac(secret, claim).verify_slice(&unhex(signature)?).ok()?;
    let (_, expiry) = claim.split_once('.')?;
    let expiry = Duration::from_secs(expiry.parse().ok()?);
    if unix_now() < expiry { user_in(token) } else { None }
}

/// The user that a token names, whoever has made it.
pub fn user_in(token: &str) -> Option<String> {
    String::from_utf8(unhex(token.split('.').next()?)?).ok()
}

fn mac(secret: &[u8], claim: &str) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret).expect("HMAC takes secrets of any length");
    mac.update(claim.as_bytes());
    mac
}

fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The bytes as lowercase hexadecimal digits, two per byte.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    digits.chunks_exact(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}
