//! Adapters that let hyper-util's legacy client, axum and tonic use the simulated network unchanged.
