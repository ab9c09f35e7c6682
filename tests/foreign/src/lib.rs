//! The service of a user's project; it does not depend on Squall.

use axum::Router;
use axum::routing::get;

/// A router that greets.
pub fn router() -> Router {
    Router::new().route("/greeting", get(|| async { "hello" }))
}
