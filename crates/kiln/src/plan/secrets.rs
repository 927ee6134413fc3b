//! What a build of a service must be given: its secrets and its extra CA certificates, each with the id under which steps mount it.

use camino::{Utf8Path, Utf8PathBuf};

use super::{Secret, Service};

/// A secret as a build is given it (`--secret id=…,src=…`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretSource {
    /// BuildKit secret id.
    pub id: String,
    /// Where its value is.
    pub from: SecretFrom,
}

/// Where the value of a secret is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretFrom {
    /// An environment variable of the caller.
    Environment(String),
    /// A file, relative to the project root or absolute.
    File(Utf8PathBuf),
}

impl Service {
    /// Everything that builds of this service mount as secrets: CA certificates first.
    #[must_use]
    pub fn secret_sources(&self) -> Vec<SecretSource> {
        let certificates = self
            .ca_certificates
            .iter()
            .map(|path| SecretSource { id: certificate_id(path), from: SecretFrom::File(path.clone()) });
        certificates.chain(self.secrets.iter().filter_map(source)).collect()
    }
}

fn source(secret: &Secret) -> Option<SecretSource> {
    let from = match (&secret.env, &secret.file) {
        (Some(variable), _) => SecretFrom::Environment(variable.clone()),
        (None, Some(file)) => SecretFrom::File(file.clone()),
        (None, None) => return None,
    };
    Some(SecretSource { id: secret.id.clone(), from })
}

/// Secret id of a CA certificate: the same file has the same id in every service.
pub(crate) fn certificate_id(path: &Utf8Path) -> String {
    format!("extra-ca-{}", super::mounts::slug(path.as_str()))
}
