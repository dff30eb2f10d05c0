//! An admission webhook: a server with a certificate of its own, and how the API server is told of it.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Response, header};
use axum::routing::post;
use axum::serve::Listener;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::api::PostParams;
use kube::{Api, Client};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::server::TlsStream;

/// What a webhook does when it is asked.
#[derive(Clone)]
pub(crate) enum Conduct {
    /// It changes the object by this JSON patch.
    Rewrite(Value),
    /// It says no, with this code and message.
    Deny(u16, String),
    /// It never answers.
    Hang,
    /// Nobody listens.
    Down,
}

/// It runs until this is dropped.
pub(crate) struct Webhook(Option<JoinHandle<()>>);

impl Drop for Webhook {
    fn drop(&mut self) {
        if let Some(server) = self.0.take() {
            server.abort();
        }
    }
}

impl Webhook {
    /// Starts one that is asked about every write of this resource in this namespace.
    pub(crate) async fn start(
        client: &Client,
        namespace: &str,
        resource: [&str; 2],
        conduct: Conduct,
    ) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}/admit", tcp.local_addr().expect("an address"));
        let hook = json!({
            "metadata": {"name": namespace},
            "webhooks": [{
                "name": format!("{namespace}.example.com"),
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 2,
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "clientConfig": {"url": url, "caBundle": ByteString(cert.pem().into_bytes())},
                "rules": [{"apiGroups": [resource[0]], "apiVersions": ["v1"], "resources": [resource[1]],
                           "operations": ["CREATE", "UPDATE"]}],
            }],
        });
        if matches!(conduct, Conduct::Rewrite(_)) {
            let hook = serde_json::from_value(hook).expect("a webhook");
            let hooks: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
            hooks.create(&PostParams::default(), &hook).await.expect("created");
        } else {
            let hook = serde_json::from_value(hook).expect("a webhook");
            let hooks: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
            hooks.create(&PostParams::default(), &hook).await.expect("created");
        }
        if matches!(conduct, Conduct::Down) {
            return Self(None);
        }
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .expect("the key fits");
        let listener = Tls { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
        let router = Router::new().route("/admit", post(move |review| answer(review, conduct.clone())));
        Self(Some(tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") })))
    }
}

async fn answer(review: Bytes, conduct: Conduct) -> Response<Body> {
    let review: Value = serde_json::from_slice(&review).expect("a review");
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    match conduct {
        Conduct::Rewrite(patch) => {
            response["patchType"] = json!("JSONPatch");
            response["patch"] = json!(ByteString(patch.to_string().into_bytes()));
        }
        Conduct::Deny(code, message) => {
            response["allowed"] = json!(false);
            response["status"] = json!({"code": code, "message": message});
        }
        Conduct::Hang | Conduct::Down => pending().await,
    }
    let review =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    let json = Response::builder().header(header::CONTENT_TYPE, "application/json");
    json.body(Body::from(review.to_string())).expect("an answer")
}

struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.expect("a connection");
            // The API server may have gone meanwhile.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
