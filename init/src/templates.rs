//! The files that a project gets. A word in `__CAPITALS__` stands for something of the project.

use clap::ValueEnum;

/// What the service under test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// An axum router.
    Axum,
    /// Routes of gRPC services.
    Tonic,
    /// A function that binds its own sockets and serves.
    Plain,
}

/// The table of scenarios.
pub const TABLE: &str = include_str!("templates/main.rs.txt");
/// The job of the continuous integration.
pub const JOB: &str = include_str!("templates/sims.yml");

/// A dependency for tests: its name, its version unless it is Squall, and its features.
pub struct Dependency {
    pub name: &'static str,
    pub version: &'static str,
    pub features: &'static [&'static str],
    /// Whether its default features are wanted.
    pub has_defaults: bool,
}

const fn plain(name: &'static str, version: &'static str, features: &'static [&'static str]) -> Dependency {
    Dependency { name, version, features, has_defaults: true }
}

const PROPTEST: Dependency = Dependency { name: "proptest", version: "1.7", features: &["std"], has_defaults: false };
const SERDE: Dependency = plain("serde", "1", &["derive"]);
const TOKIO: Dependency = plain("tokio", "1", &["macros", "rt", "time"]);
const TOKIO_NET: Dependency = plain("tokio", "1", &["io-util", "macros", "net", "rt", "time"]);
const AXUM: Dependency = plain("axum", "0.8", &[]);
const TONIC: Dependency =
    Dependency { name: "tonic", version: "0.14", features: &["channel", "router", "server"], has_defaults: false };
const TONIC_HEALTH: Dependency =
    Dependency { name: "tonic-health", version: "0.14", features: &[], has_defaults: false };

impl Kind {
    /// The function of the project's library that gives the service, unless the user names another.
    pub fn function(self) -> &'static str {
        match self {
            Kind::Axum => "router",
            Kind::Tonic => "routes",
            Kind::Plain => "serve",
        }
    }

    /// The first scenario.
    pub fn scenario(self) -> &'static str {
        match self {
            Kind::Axum => include_str!("templates/axum.rs.txt"),
            Kind::Tonic => include_str!("templates/tonic.rs.txt"),
            Kind::Plain => include_str!("templates/plain.rs.txt"),
        }
    }

    /// Squall's features.
    pub fn features(self) -> &'static [&'static str] {
        match self {
            Kind::Axum => &["axum", "hyper-util"],
            Kind::Tonic => &["tonic"],
            Kind::Plain => &[],
        }
    }

    /// What the files need besides Squall.
    pub fn dependencies(self) -> Vec<Dependency> {
        match self {
            Kind::Axum => vec![AXUM, PROPTEST, SERDE, TOKIO],
            Kind::Tonic => vec![PROPTEST, SERDE, TOKIO, TONIC, TONIC_HEALTH],
            Kind::Plain => vec![PROPTEST, SERDE, TOKIO_NET],
        }
    }
}
