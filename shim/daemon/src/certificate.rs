//! The certificate: the administrator's, or one of our own making that lies in the state directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::whole_file::WholeFile;

/// Where certificate and key are.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The chain, PEM.
    pub chain: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

impl Certificate {
    /// The one that was given, both files or neither; else our own, made where it is missing.
    ///
    /// # Errors
    /// Where only one was given; where it can't be made.
    pub fn find(chain: Option<PathBuf>, key: Option<PathBuf>, state: &Path) -> Result<Self> {
        match (chain, key) {
            (Some(chain), Some(key)) => Ok(Self { chain, key }),
            (None, None) => {
                let own = Self {
                    chain: state.join("certificate.pem"),
                    key: state.join("certificate-key.pem"),
                };
                if !own.chain.exists() || !own.key.exists() {
                    own.make().context("make a certificate")?;
                }
                Ok(own)
            }
            _ => bail!("--certificate and --certificate-key go together"),
        }
    }

    fn make(&self) -> Result<()> {
        let mut names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        let host = nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok());
        names.extend(host.filter(|name| !name.is_empty() && name != "localhost"));
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(names)?;
        let certificate = params.self_signed(&key)?;
        // The key first: a chain without its key is made again, and both are 0600.
        WholeFile::at(&self.key)?.put(key.serialize_pem().as_bytes())?;
        WholeFile::at(&self.chain)?.put(certificate.pem().as_bytes())?;
        Ok(())
    }

    /// As rustls wants it.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn load(&self) -> Result<Arc<ServerConfig>> {
        let chain = CertificateDer::pem_slice_iter(&read(&self.chain)?)
            .collect::<Result<Vec<_>, _>>()
            .with_context(|| format!("read certificate {}", self.chain.display()))?;
        if chain.is_empty() {
            bail!("{}: no certificate in it", self.chain.display());
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .with_context(|| format!("read key {}", self.key.display()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .with_context(|| format!("use certificate {}", self.chain.display()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}
