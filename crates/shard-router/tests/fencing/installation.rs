//! One installation of an operator: its ServiceAccount, Pods with tokens, the table and the policies.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Pod, Service, ServiceAccount},
    rbac::v1::{ClusterRoleBinding, Role},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    config::AuthInfo,
};
use kube_testkit::{Proxy, RealEnv, TestUser, eventually};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use shard_router::{
    Bucket,
    fencing::{FencingObjects, FencingPolicy, OwnershipTable, OwnershipTableSpec, Row, RowKey},
};
use tokio::sync::OnceCell;

use crate::widget::{self, LABEL, Widget};

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
const ACCOUNT: &str = "operator";
/// The name of the table.
pub(crate) const ID: &str = "widgets.test.shard-router.dev";

pub(crate) struct Installation {
    pub(crate) env: RealEnv,
    pub(crate) tables: Api<OwnershipTable>,
}

/// A Pod of the operator, as the API server knows it by its token.
#[derive(Clone)]
pub(crate) struct Replica {
    pub(crate) pod: Pod,
    pub(crate) client: Client,
    token: String,
}

impl Replica {
    /// The same Pod behind a network that can fail.
    pub(crate) fn client_via(&self, env: &RealEnv, proxy: &Proxy) -> Client {
        Client::try_from(self.config_via(env, proxy)).unwrap()
    }

    pub(crate) fn config_via(&self, env: &RealEnv, proxy: &Proxy) -> kube::Config {
        with_token(env.config_via(proxy, &TestUser::admin()), &self.token)
    }

    pub(crate) fn row(&self, token: u64) -> Row {
        Row { pod: self.pod.name_any(), uid: self.pod.uid().unwrap(), shard: Some(0), token }
    }
}

impl Installation {
    pub(crate) async fn new() -> Option<Self> {
        let env = kube_testkit::real("admission policies and bound tokens decide").await?;
        let admin = env.admin();
        widget::install(&admin).await;
        install_table(&admin).await;
        let account = ServiceAccount { metadata: named(ACCOUNT), ..ServiceAccount::default() };
        Api::namespaced(admin.clone(), env.namespace())
            .create(&PostParams::default(), &account)
            .await
            .unwrap();
        // RBAC is not what is tested here.
        let binding: ClusterRoleBinding = serde_json::from_value(json!({
            "metadata": {"name": env.namespace()},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": env.namespace()}],
        }))
        .unwrap();
        Api::<ClusterRoleBinding>::all(admin.clone()).create(&PostParams::default(), &binding).await.unwrap();
        let tables = Api::namespaced(admin, env.namespace());
        Some(Self { env, tables })
    }

    pub(crate) fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(client.clone(), self.env.namespace())
    }

    /// A Pod that runs as the operator, with a token that the API server has bound to it.
    pub(crate) async fn replica(&self, name: &str) -> Replica {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"serviceAccountName": ACCOUNT, "containers": [{"name": "operator", "image": "none"}]},
        }))
        .unwrap();
        let pod = self.api::<Pod>(&self.env.admin()).create(&PostParams::default(), &pod).await.unwrap();
        let bound = BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(name.to_owned()),
            uid: pod.uid(),
        };
        let token = self.token(Some(bound)).await;
        Replica { client: client(self.env.config(&TestUser::admin()), &token), token, pod }
    }

    /// The same ServiceAccount, with a token that is bound to no Pod.
    pub(crate) async fn unbound(&self) -> Client {
        client(self.env.config(&TestUser::admin()), &self.token(None).await)
    }

    async fn token(&self, bound: Option<BoundObjectReference>) -> String {
        let spec = TokenRequestSpec { bound_object_ref: bound, ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let accounts: Api<ServiceAccount> = self.api(&self.env.admin());
        let token = accounts.create_token_request(ACCOUNT, &PostParams::default(), &request).await.unwrap();
        token.status.unwrap().token
    }

    /// What the policies are generated from.
    pub(crate) fn policy(&self) -> FencingPolicy {
        let namespace = self.env.namespace();
        FencingPolicy::new(namespace, (namespace, ACCOUNT), (namespace, ID), LABEL)
            .sharded::<Widget>()
            .unsharded::<Role>()
            .owns::<Service>()
    }

    pub(crate) async fn install(&self, objects: &FencingObjects) {
        for policy in &objects.policies {
            self.apply::<ValidatingAdmissionPolicy>(policy).await;
        }
        for binding in &objects.bindings {
            self.apply::<ValidatingAdmissionPolicyBinding>(binding).await;
        }
    }

    async fn apply<K>(&self, object: &K)
    where
        K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
    {
        let api: Api<K> = Api::all(self.env.admin());
        let params = PatchParams::apply("tests").force();
        api.patch(&object.name_any(), &params, &Patch::Apply(object)).await.unwrap();
    }

    pub(crate) async fn remove(&self, objects: &FencingObjects) {
        let params = DeleteParams::default();
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(self.env.admin());
        for binding in &objects.bindings {
            bindings.delete(&binding.name_any(), &params).await.unwrap();
        }
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(self.env.admin());
        for policy in &objects.policies {
            policies.delete(&policy.name_any(), &params).await.unwrap();
        }
    }

    /// Makes the table, with these rows, as an administrator.
    pub(crate) async fn table(&self, rows: &[(RowKey, Row)]) {
        let rows = rows.iter().map(|(key, row)| (key.to_string(), row.clone())).collect();
        let table = OwnershipTable::new(ID, OwnershipTableSpec { rows, owners: String::new() });
        self.tables.create(&PostParams::default(), &table).await.unwrap();
    }

    /// Enters rows as a replica does.
    pub(crate) async fn claim(&self, by: &Replica, rows: &[(RowKey, Row)]) -> Result<(), kube::Error> {
        let tables: Api<OwnershipTable> = self.api(&by.client);
        let table = tables.get(ID).await.unwrap();
        let rows: BTreeMap<_, _> = rows.iter().cloned().collect();
        let patch = table.claim(&rows).unwrap().unwrap();
        tables.patch(ID, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
    }

    /// Waits until a write is refused by a policy.
    pub(crate) async fn refuses<F>(&self, what: &str, attempt: impl Fn() -> F)
    where
        F: Future<Output = Result<(), kube::Error>>,
    {
        eventually(&format!("{what} to be refused"), DEADLINE, || async {
            refusal(&attempt().await).map(drop)
        })
        .await;
    }

    /// Waits until it is not.
    pub(crate) async fn admits<F>(&self, what: &str, attempt: impl Fn() -> F)
    where
        F: Future<Output = Result<(), kube::Error>>,
    {
        eventually(&format!("{what} to be admitted"), DEADLINE, || async {
            refusal(&attempt().await).is_none().then_some(())
        })
        .await;
    }
}

fn client(config: kube::Config, token: &str) -> Client {
    Client::try_from(with_token(config, token)).unwrap()
}

/// For whom the token is, and nobody else.
fn with_token(mut config: kube::Config, token: &str) -> kube::Config {
    config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
    config
}

pub(crate) fn bucket(number: u8) -> RowKey {
    RowKey::Bucket(Bucket(number))
}

/// The sentence of a policy of ours; `None` if the write was admitted.
///
/// # Panics
///
/// If it failed for another reason.
pub(crate) fn refusal<T>(result: &Result<T, kube::Error>) -> Option<String> {
    match result {
        Ok(_) => None,
        Err(kube::Error::Api(status))
            if status.message.contains("fenced: ") || status.message.contains("no params found") =>
        {
            Some(status.message.clone())
        }
        Err(error) => panic!("neither admitted nor fenced: {error}"),
    }
}

/// A child that costs the API server nothing.
pub(crate) fn service(name: &str, bucket: Option<&str>) -> Service {
    let labels: serde_json::Map<_, _> =
        bucket.map(|bucket| (LABEL.to_owned(), json!(bucket))).into_iter().collect();
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "labels": labels}, "spec": {"ports": [{"port": 1}], "clusterIP": "None"},
    }))
    .unwrap()
}

async fn install_table(admin: &Client) {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED.get_or_init(|| crate::tokens::install(admin, OwnershipTable::definition())).await;
}

fn named(name: &str) -> kube::core::ObjectMeta {
    kube::core::ObjectMeta { name: Some(name.to_owned()), ..kube::core::ObjectMeta::default() }
}
