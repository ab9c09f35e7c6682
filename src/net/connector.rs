//! Opens connections: looks names up, tries their addresses, and sends the requests.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;

use super::flow::Side;
use super::names::{Resolution, literal};
use super::requests::NOBODY;
use super::shared::SharedNet;
use super::socket::TcpStream;
use crate::alive::AliveFlag;
use crate::sandbox;
use crate::trace::HostId;

/// A host that a lookup found.
#[derive(Clone, Copy, Debug)]
struct Found {
    host: HostId,
    address: IpAddr,
    /// What the lookup returned.
    resolution: Resolution,
}

/// Opens connections from one host.
#[derive(Clone, Debug)]
pub struct Connector {
    net: SharedNet,
    host: HostId,
    alive: AliveFlag,
}

impl Connector {
    pub(crate) fn new(net: SharedNet, host: HostId, alive: AliveFlag) -> Connector {
        Connector { net, host, alive }
    }

    /// Connects to a port of the host with this name, IPv4 or IPv6 address. `localhost`, 127.0.0.1, `::1`, 0.0.0.0, and the
    /// host's own name and addresses stand for this host itself, which no fault of a link comes between.
    ///
    /// # Errors
    /// `NotFound` for a name that belongs to no host of the scenario, `ConnectionRefused` if no program listens on the
    /// port, `TimedOut` after 131 s without an answer, `AddrNotAvailable` if the connecting host has no free port left.
    /// If a fault hides the name, the error is the one that tokio returns for an unknown name; its kind has no name in
    /// stable Rust.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        self.pend_if_dead().await;
        let mut result = Err(unknown_name_error());
        for found in self.look_up(host).await? {
            // As with tokio, the first address that answers is taken, and the last one's error returned.
            result = self.connect_once(found, host, port).await;
            if result.is_ok() {
                break;
            }
        }
        result
    }

    async fn connect_once(&self, found: Found, host: &str, port: u16) -> io::Result<TcpStream> {
        let stream = {
            let mut net = self.net.lock();
            // A connect that finds no name counts too, so the ordinals of later connects do not depend on name faults.
            let address = if found.resolution == Resolution::Nobody { NOBODY } else { found.address };
            let flow = net.open(self.host, None, (found.host, address, port))?;
            if found.resolution != Resolution::Nothing {
                net.request(flow);
            }
            // From here on, dropping this future drops the stream, which abandons the connection and frees its port.
            TcpStream::new(self.net.clone(), self.alive.clone(), flow, Side::Client)
        };
        if found.resolution == Resolution::Nothing {
            return Err(unknown_name_error());
        }
        match poll_fn(|cx| stream.poll_connected(cx)).await {
            Ok(()) => Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer from {host}:{port}")))
            }
            Err(error) => Err(error),
        }
    }

    /// Looks a name up, as a connect does first: the addresses of its hosts, in order. A program that keeps them does not
    /// notice when the name moves.
    ///
    /// # Errors
    /// Those of [`Connector::connect`] for names. A faulty lookup gives an address that no host has.
    pub async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.pend_if_dead().await;
        let found = self.look_up(host).await?;
        let addresses: Vec<IpAddr> = found
            .iter()
            .filter(|found| found.resolution != Resolution::Nothing)
            .map(|found| if found.resolution == Resolution::Host { found.address } else { NOBODY })
            .collect();
        if addresses.is_empty() { Err(unknown_name_error()) } else { Ok(addresses) }
    }

    /// Pends forever if the program is dead: an error would let it act for the rest of the step.
    async fn pend_if_dead(&self) {
        if !self.alive.is_set() {
            std::future::pending::<()>().await;
        }
    }

    /// The hosts with this name or address, and what a lookup of the name returns for each.
    async fn look_up(&self, host: &str) -> io::Result<Vec<Found>> {
        let (hosts, delay) = {
            let mut net = self.net.lock();
            let hosts = net.names.hosts(self.host, host);
            if hosts.is_empty() && literal(host) == Some(NOBODY) {
                return Ok(vec![Found { host: self.host, address: NOBODY, resolution: Resolution::Nobody }]);
            }
            if hosts.is_empty() && net.names.aliases.contains_key(host) {
                return Err(unknown_name_error());
            }
            if hosts.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("no host is named `{host}`; add it to the scenario"),
                ));
            }
            if net.names.faults.is_empty() || literal(host).is_some() {
                let found = |(host, address)| Found { host, address, resolution: Resolution::Host };
                return Ok(hosts.into_iter().map(found).collect());
            }
            let late = |(to, _): &(HostId, IpAddr)| net.names.lookup_delay(self.host, *to, sandbox::now());
            let delay = hosts.iter().map(late).max();
            (hosts, delay.unwrap_or_default())
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.pend_if_dead().await;
        let mut net = self.net.lock();
        let mut found = |(host, address)| {
            let resolution =
                if host == self.host { Resolution::Host } else { net.names.look_up(self.host, host, sandbox::now()) };
            Found { host, address, resolution }
        };
        Ok(hosts.into_iter().map(&mut found).collect())
    }

    /// Connects to `host:port`.
    ///
    /// # Errors
    /// Those of [`Connector::connect`], and `InvalidInput` if the text does not have this form.
    pub async fn connect_to(&self, authority: &str) -> io::Result<TcpStream> {
        let parsed = authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parsed {
            Some((host, port)) => self.connect(host, port).await,
            None => {
                let text = format!("`{authority}` is not of the form host:port, such as `server:80`");
                Err(io::Error::new(io::ErrorKind::InvalidInput, text))
            }
        }
    }
}

/// The error of the standard library, and so of tokio, for `EAI_NONAME`. Its kind has no name in stable Rust.
fn unknown_name_error() -> io::Error {
    let kind = io::Error::from_raw_os_error(0).kind();
    io::Error::new(kind, "failed to lookup address information: Name or service not known")
}
