//! A service that knows nothing of Squall.

use axum::Router;
use axum::routing::get;

/// Greets.
pub fn router() -> Router {
    Router::new().route("/greeting", get(|| async { "hello" }))
}
