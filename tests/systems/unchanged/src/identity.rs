//! A server's certificate, made by rcgen, and the settings of TLS on both sides that follow from it.

use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::Failure;

/// A server's certificate and its key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    /// Makes the identity of a server at this host.
    pub fn new(host: &str) -> Result<Identity, Failure> {
        let made = rcgen::generate_simple_self_signed([host.to_owned()])?;
        Ok(Identity { certificate: made.cert.der().clone(), key: made.signing_key.serialize_der() })
    }

    /// The certificate, as DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The settings of the server, which speaks these protocols (ALPN).
    pub fn server(&self, protocols: &[&str]) -> Result<ServerConfig, Failure> {
        let key = PrivatePkcs8KeyDer::from(self.key.clone());
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(vec![self.certificate.clone()], key.into())?;
        config.alpn_protocols = names(protocols);
        Ok(config)
    }

    /// The settings of a client, which trusts this identity only.
    pub fn client(&self, protocols: &[&str]) -> Result<ClientConfig, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = names(protocols);
        Ok(config)
    }
}

fn names(protocols: &[&str]) -> Vec<Vec<u8>> {
    protocols.iter().map(|name| name.as_bytes().to_vec()).collect()
}
