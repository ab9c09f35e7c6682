//! Squall.

pub mod disk;
pub mod gate;
pub mod sandbox;
pub mod seed;
