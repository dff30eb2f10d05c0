//! Keys and certificates of a control plane: made fresh for each, worth nothing outside of it.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use crate::error::{StartError, io_error};
use crate::user::TestUser;

/// A certificate authority for one control plane.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A client certificate and its key, both PEM.
pub(crate) struct ClientIdentity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn generate() -> Result<Self, StartError> {
        let mut params = CertificateParams::new(Vec::new()).map_err(StartError::Pki)?;
        params.distinguished_name.push(DnType::CommonName, "kube-testkit");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(StartError::Pki)?;
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, key).map_err(StartError::Pki)? })
    }

    /// The authority's own certificate as DER, which is what `kube::Config` wants.
    pub(crate) fn root_der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// The authority's own certificate as PEM.
    pub(crate) fn root_pem(&self) -> String {
        self.issuer.pem()
    }

    /// Makes a client certificate: the common name is the user, the organisation its group.
    pub(crate) fn client(&self, user: &TestUser) -> Result<ClientIdentity, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, user.name());
        if let Some(group) = user.group() {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(ClientIdentity { certificate, key: key.serialize_pem() })
    }

    /// Writes what the API server reads: `ca.crt`, `server.crt`, `server.key` and `service-account.{key,pub}`.
    ///
    /// The server's certificate holds for 127.0.0.1 whatever the port, so that a proxy can stand in front of it.
    pub(crate) fn write_server_files(&self, dir: &Path) -> Result<(), StartError> {
        let names = ["127.0.0.1", "::1", "localhost", "kubernetes", "kubernetes.default.svc"];
        let names: Vec<String> = names.into_iter().map(String::from).collect();
        let mut params = CertificateParams::new(names).map_err(StartError::Pki)?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(StartError::Pki)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(StartError::Pki)?;
        let service_account = KeyPair::generate().map_err(StartError::Pki)?;
        let files = [
            ("ca.crt", self.root_pem()),
            ("server.crt", certificate.pem()),
            ("server.key", key.serialize_pem()),
            ("service-account.key", service_account.serialize_pem()),
            ("service-account.pub", service_account.public_key_pem()),
        ];
        for (name, content) in files {
            let path = dir.join(name);
            std::fs::write(&path, content).map_err(|error| io_error("write", &path, error))?;
        }
        Ok(())
    }
}
