//! Who may write what, and the proof that each rule of the policies is needed.

use k8s_openapi::api::{admissionregistration::v1::ValidatingAdmissionPolicy, core::v1::Service};
use kube::{Api, ResourceExt};
use serde_json::json;
use shard_router::fencing::{FencingObjects, OwnershipTable};

use crate::{
    attempts::Scene,
    installation::{ID, refusal},
    widget::{LABEL, Widget},
};

impl Scene {
    /// What differs from what should be, with these policies.
    async fn differences(&self, objects: &FencingObjects) -> Vec<String> {
        self.at.install(objects).await;
        let owner = &self.owner.client;
        // A policy takes effect some time after it was created. Each of the two is waited for by a write that all variants refuse.
        self.at.refuses("a write to the status by the wrong Pod", || self.status(owner, "w8")).await;
        self.at.refuses("the deletion of the table", || self.delete::<OwnershipTable>(owner, ID)).await;
        let mut differences = Differences::default();
        self.resources(&mut differences).await;
        self.children(&mut differences).await;
        self.others(&mut differences).await;
        self.rows(&mut differences).await;
        differences.0
    }

    async fn resources(&self, differences: &mut Differences) {
        let (owner, other, unbound, admin) =
            (&self.owner.client, &self.other.client, &self.unbound, &self.at.env.admin());
        let mut expect = |what, refused, result| differences.expect(what, refused, &result);
        let [old, new] = [json!({LABEL: "7"}), json!({LABEL: "8"})];

        expect("a status by the owner", false, self.status(owner, "w7").await);
        expect("a status by another", true, self.status(owner, "w8").await);
        expect("a status by a Pod without a name", true, self.status(unbound, "w7").await);
        expect("a status by a namesake", true, self.status(&self.namesake.client, "w10").await);
        expect("a status in a bucket without a row", false, self.status(owner, "w9").await);
        expect(
            "a status by a Pod without a name in a bucket without a row",
            false,
            self.status(unbound, "w9").await,
        );
        expect("a status by a user", false, self.status(admin, "w7").await);

        expect("a finalizer by the owner", false, self.finalizer(owner, "w7").await);
        expect("a finalizer by another", true, self.finalizer(owner, "w8").await);
        expect(
            "a bucket label restored by whom it names",
            false,
            self.relabel::<Widget>(owner, "w7", &new).await,
        );
        expect("a bucket label taken by another", true, self.relabel::<Widget>(owner, "w8", &old).await);
        expect("a stamp by the coordinator", false, self.relabel::<Widget>(other, "bare", &new).await);
        expect("a stamp by another", true, self.relabel::<Widget>(owner, "bare", &old).await);
        expect(
            "a label of no bucket restored by the coordinator",
            false,
            self.relabel::<Widget>(other, "odd", &new).await,
        );
        expect(
            "a label of no bucket restored by another",
            true,
            self.relabel::<Widget>(owner, "odd", &old).await,
        );
        expect("a label by a user", false, self.relabel::<Widget>(admin, "w7", &new).await);
        expect("a deletion by the owner", false, self.delete::<Widget>(owner, "w7").await);
        expect("a deletion by another", true, self.delete::<Widget>(owner, "w8").await);
    }

    async fn children(&self, differences: &mut Differences) {
        let (owner, other, admin) = (&self.owner.client, &self.other.client, &self.at.env.admin());
        let mut expect = |what, refused, result| differences.expect(what, refused, &result);
        let [old, new] = [json!({LABEL: "7"}), json!({LABEL: "8"})];
        expect("a child created by the owner", false, self.service(owner, Some("7")).await);
        expect("a child created by another", true, self.service(owner, Some("8")).await);
        expect("a child created in a bucket without a row", false, self.service(owner, Some("9")).await);
        expect("a child created by a user", false, self.service(admin, Some("7")).await);
        expect("a child without a bucket by the coordinator", false, self.service(other, None).await);
        expect("a child without a bucket by another", true, self.service(owner, None).await);
        expect("a child applied by another", true, self.apply_service(owner, "applied", "8").await);
        expect(
            "a child changed by the owner",
            false,
            self.relabel::<Service>(owner, "s7", &json!({"a": "b"})).await,
        );
        expect(
            "a child changed by another",
            true,
            self.relabel::<Service>(owner, "s8", &json!({"a": "b"})).await,
        );
        expect("a child put into another's bucket", true, self.relabel::<Service>(owner, "s7", &new).await);
        expect(
            "a child taken out of another's bucket",
            true,
            self.relabel::<Service>(owner, "s8", &old).await,
        );
        expect(
            "a child without a bucket taken into another's",
            true,
            self.relabel::<Service>(owner, "bare", &new).await,
        );
        expect("a child's status by another", true, self.child_status(owner, "s8").await);
        expect("a child deleted by the owner", false, self.delete::<Service>(owner, "s7").await);
        expect("a child deleted by another", true, self.delete::<Service>(owner, "s8").await);
        expect("a child deleted by a user", false, self.delete::<Service>(admin, "s7").await);
    }

    async fn others(&self, differences: &mut Differences) {
        let (owner, other, unbound) = (&self.owner.client, &self.other.client, &self.unbound);
        let mut expect = |what, refused, result| differences.expect(what, refused, &result);
        expect("an unsharded resource by the coordinator", false, self.role(other).await);
        expect("an unsharded resource by another", true, self.role(owner).await);
        expect("a Lease by another", false, self.lease(owner).await);
        expect("a Lease by a Pod without a name", false, self.lease(unbound).await);
    }

    async fn rows(&self, differences: &mut Differences) {
        let (owner, other, unbound, admin) =
            (&self.owner.client, &self.other.client, &self.unbound, &self.at.env.admin());
        let mut expect = |what, refused, result| differences.expect(what, refused, &result);
        expect("a row by the Pod that it names", false, self.row(owner, &json!(self.owner.row(11))).await);
        expect("a row by another", true, self.row(other, &json!(self.owner.row(11))).await);
        expect(
            "a row by a namesake",
            true,
            self.row(
                &self.namesake.client,
                &json!({
                    "pod": "pod-c", "uid": "another", "token": 11
                }),
            )
            .await,
        );
        expect("a row by a Pod without a name", true, self.row(unbound, &json!(self.owner.row(11))).await);
        expect("a row by a user", false, self.row(admin, &json!(self.owner.row(11))).await);
        expect("a row taken over", false, self.row(other, &json!(self.other.row(11))).await);
        expect("a table with rows of another", true, self.second_table(owner, &self.other).await);
        expect("a table with rows of one's own", false, self.second_table(owner, &self.owner).await);
        expect("the table deleted by a replica", true, self.delete::<OwnershipTable>(owner, ID).await);
        expect("the table deleted by a user", false, self.delete::<OwnershipTable>(admin, ID).await);
    }
}

/// What is not as it should be.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn expect(&mut self, what: &str, refused: bool, result: &Result<(), kube::Error>) {
        let refusal = refusal(result);
        if refusal.is_some() != refused {
            let is = refusal.map_or("admitted".to_owned(), |why| format!("refused: {why}"));
            self.0.push(format!("{what} is {is}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_owner_of_a_bucket_writes_and_only_the_operator_is_asked() {
    let Some(scene) = Box::pin(Scene::new()).await else { return };
    let objects = scene.at.policy().objects().unwrap();
    assert_eq!(scene.differences(&objects).await, [""; 0]);
    let why = refusal(&scene.status(&scene.owner.client, "w8").await).unwrap();
    let table = format!("OwnershipTable {}/{ID}", scene.at.env.namespace());
    for part in ["8 belongs to Pod pod-b (uid ", &table, "this request comes from Pod pod-a (uid "] {
        assert!(why.contains(part), "{part:?} is not in {why:?}");
    }
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(scene.at.env.admin());
    for policy in &objects.policies {
        let seen = policies.get(&policy.name_any()).await.unwrap().status;
        let warnings = seen.and_then(|status| status.type_checking?.expression_warnings);
        assert_eq!(warnings.unwrap_or_default(), [], "the API server has warned of an expression");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rule_of_the_policies_is_needed() {
    let Some(scene) = Box::pin(Scene::new()).await else { return };
    for (name, leave_out, sign) in crate::leave_out::EACH {
        let objects = leave_out(&scene.at.policy().objects().unwrap());
        let found = scene.differences(&objects).await;
        println!("without {name}: {found:?}");
        assert!(found.iter().any(|what| what.starts_with(sign)), "without {name}: {found:?}");
        scene.at.remove(&objects).await;
        scene
            .at
            .admits("a write to the status by the wrong Pod", || scene.status(&scene.owner.client, "w8"))
            .await;
        let table = || scene.delete::<OwnershipTable>(&scene.owner.client, ID);
        scene.at.admits("the deletion of the table", table).await;
    }
}
