//! How a user reaches an API server: as a `kube::Config`, and as a kubeconfig for other programs.

use base64::Engine as _;
use kube::config::{AuthInfo, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};

use crate::pki::Authority;
use crate::user::TestUser;

/// Who vouches for users.
pub(crate) enum Access {
    /// A control plane of our own: client certificates by our own authority.
    Certificates(Box<Authority>),
    /// Somebody else's cluster: its administrator impersonates users.
    Impersonation(Box<kube::Config>, Box<Kubeconfig>),
    /// Nobody: the server asks for no credentials, and speaks plain HTTP.
    Open,
}

impl Access {
    /// A configuration for this user, talking to `server`, or for the cluster's own address if that is none.
    pub(crate) fn config(&self, server: http::Uri, user: &TestUser) -> kube::Config {
        match self {
            Self::Open => kube::Config::new(plain(&server)),
            Self::Certificates(authority) => {
                let mut config = kube::Config::new(server);
                config.root_cert = Some(vec![authority.root_der()]);
                config.auth_info = auth_info(authority, user);
                config
            }
            Self::Impersonation(config, _) => {
                let mut config = config.as_ref().clone();
                // A proxy answers under another address, while the certificate names the real one.
                if config.cluster_url != server {
                    config.tls_server_name =
                        config.tls_server_name.or(config.cluster_url.host().map(host_name));
                    config.cluster_url = server;
                }
                impersonate(&mut config.auth_info, user);
                config
            }
        }
    }

    /// The same as a kubeconfig.
    pub(crate) fn kubeconfig(&self, server: &http::Uri, user: &TestUser) -> Kubeconfig {
        let address = server;
        let server = server.to_string();
        match self {
            Self::Open => {
                let server = Some(plain(address).to_string());
                let cluster = kube::config::Cluster { server, ..kube::config::Cluster::default() };
                assemble(cluster, AuthInfo::default())
            }
            Self::Certificates(authority) => {
                let cluster = kube::config::Cluster {
                    server: Some(server),
                    certificate_authority_data: Some(base64(&authority.root_pem())),
                    ..kube::config::Cluster::default()
                };
                assemble(cluster, auth_info(authority, user))
            }
            Self::Impersonation(config, original) => {
                let (mut cluster, mut auth) = current(original);
                if config.cluster_url.to_string() != server {
                    cluster.tls_server_name =
                        cluster.tls_server_name.or(config.cluster_url.host().map(host_name));
                    cluster.server = Some(server);
                }
                impersonate(&mut auth, user);
                assemble(cluster, auth)
            }
        }
    }
}

/// The address without encryption.
fn plain(server: &http::Uri) -> http::Uri {
    let authority = server.authority().expect("a server's address has a host");
    format!("http://{authority}/").parse().expect("a host and a port make a URI")
}

fn auth_info(authority: &Authority, user: &TestUser) -> AuthInfo {
    let identity = authority.client(user).expect("names and groups are printable, and keys were made before");
    AuthInfo {
        client_certificate_data: Some(base64(&identity.certificate)),
        client_key_data: Some(base64(&identity.key).into()),
        ..AuthInfo::default()
    }
}

fn impersonate(auth: &mut AuthInfo, user: &TestUser) {
    if *user != TestUser::admin() {
        auth.impersonate = Some(user.name().to_owned());
        auth.impersonate_groups = user.group().map(|group| vec![group.to_owned()]);
    }
}

/// The cluster and user of a kubeconfig's current context.
fn current(config: &Kubeconfig) -> (kube::config::Cluster, AuthInfo) {
    let context = config
        .contexts
        .iter()
        .find(|context| Some(&context.name) == config.current_context.as_ref())
        .and_then(|named| named.context.clone());
    let cluster = context.as_ref().and_then(|context| {
        config.clusters.iter().find(|cluster| cluster.name == context.cluster)?.cluster.clone()
    });
    let auth = context.as_ref().and_then(|context| {
        config.auth_infos.iter().find(|auth| Some(&auth.name) == context.user.as_ref())?.auth_info.clone()
    });
    (cluster.unwrap_or_default(), auth.unwrap_or_default())
}

/// A kubeconfig with one context: this cluster, by this user.
pub(crate) fn assemble(cluster: kube::config::Cluster, auth: AuthInfo) -> Kubeconfig {
    let name = "kube-testkit".to_owned();
    let context =
        Context { cluster: name.clone(), user: Some(name.clone()), namespace: None, ..Context::default() };
    Kubeconfig {
        api_version: Some("v1".into()),
        kind: Some("Config".into()),
        clusters: vec![NamedCluster {
            name: name.clone(),
            cluster: Some(cluster),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: name.clone(),
            auth_info: Some(auth),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: name.clone(),
            context: Some(context),
            ..NamedContext::default()
        }],
        current_context: Some(name),
        ..Kubeconfig::default()
    }
}

fn host_name(host: &str) -> String {
    host.trim_matches(['[', ']']).to_owned()
}

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}
