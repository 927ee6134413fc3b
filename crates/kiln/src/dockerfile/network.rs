//! What steps that use the network need: extra CA certificates and secrets, mounted and never part of a layer.

use super::{Mount, Word};
use crate::plan::{Secret, Service, certificate_id};

/// Where the system's certificates and the extra ones stand together, for the time of a step.
const BUNDLE: &str = "/run/extra-ca/all.pem";

/// Certificates and secrets of a service.
#[derive(Debug, Clone, Default)]
pub(super) struct Network {
    /// Secret ids of the certificates.
    certificates: Vec<String>,
    secrets: Vec<Secret>,
}

impl Network {
    pub(super) fn of(service: &Service) -> Self {
        Self {
            certificates: service.ca_certificates.iter().map(|path| certificate_id(path)).collect(),
            secrets: service.secrets.clone(),
        }
    }

    pub(super) fn has_certificates(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// The certificates, and a folder in memory for the bundle.
    pub(super) fn certificate_mounts(&self) -> Vec<Mount> {
        if self.certificates.is_empty() {
            return Vec::new();
        }
        let secrets = self.certificates.iter().map(|id| Mount::Secret { id: id.clone(), target: None, required: false });
        secrets.chain([Mount::Tmpfs { target: "/run/extra-ca".to_owned() }]).collect()
    }

    /// Shell lines that make the bundle and tell every program about it. A certificate that was not given is left out.
    pub(super) fn certificate_lines(&self) -> Vec<String> {
        if self.certificates.is_empty() {
            return Vec::new();
        }
        vec![
            format!("{{ cat /etc/ssl/certs/ca-certificates.crt /run/secrets/extra-ca-* > {BUNDLE} 2>/dev/null || true; }}"),
            format!(
                "export SSL_CERT_FILE={BUNDLE} CARGO_HTTP_CAINFO={BUNDLE} GIT_SSL_CAINFO={BUNDLE} NODE_EXTRA_CA_CERTS={BUNDLE}"
            ),
        ]
    }

    /// Certificates and secrets, for the step that fetches dependencies.
    pub(super) fn mounts(&self) -> Vec<Mount> {
        let mut mounts = self.certificate_mounts();
        mounts.extend(self.secrets.iter().map(|secret| Mount::Secret {
            id: secret.id.clone(),
            target: secret.target.clone(),
            required: true,
        }));
        mounts
    }

    /// Variables that [`Network::lines`] gives secret values.
    pub(super) fn secret_variables(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().filter_map(|secret| secret.as_env.as_deref())
    }

    /// The shell lines that belong to [`Network::mounts`].
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = self.certificate_lines();
        lines.extend(self.secrets.iter().filter_map(|secret| {
            let variable = secret.as_env.as_ref()?;
            let path = secret.target.clone().unwrap_or_else(|| format!("/run/secrets/{}", secret.id));
            Some(format!("export {variable}=\"$(cat {})\"", super::shell_word(&path)))
        }));
        lines
    }
}

/// Pairs of an `ENV`.
pub(super) fn environment<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<(String, Word)> {
    pairs.into_iter().map(|(name, value)| (name.clone(), Word::Literal(value.clone()))).collect()
}
