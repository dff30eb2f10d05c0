//! The rules about tokens in the table's definition, which hold for administrators too.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    runtime::{conditions, wait::await_condition},
};
use serde_json::{Value, json};
use shard_router::fencing::OwnershipTable;

pub(crate) async fn install(admin: &Client, definition: CustomResourceDefinition) {
    let definitions: Api<CustomResourceDefinition> = Api::all(admin.clone());
    let name = definition.name_any();
    definitions.patch(&name, &PatchParams::apply("tests").force(), &Patch::Apply(definition)).await.unwrap();
    await_condition(definitions, &name, conditions::is_crd_established()).await.unwrap();
}

/// What the API server lets through that it should not, with this change of the definition. The definition is in a group of its own.
async fn let_through(group: &str, change: impl FnOnce(&mut Value)) -> Option<Vec<&'static str>> {
    let env = kube_testkit::real("the rules of a definition decide").await?;
    let mut definition = serde_json::to_value(OwnershipTable::definition()).unwrap();
    definition["metadata"]["name"] = format!("ownershiptables.{group}").into();
    definition["spec"]["group"] = group.into();
    change(&mut definition);
    install(&env.admin(), serde_json::from_value(definition).unwrap()).await;
    let resource = ApiResource {
        group: group.to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: format!("{group}/v1alpha1"),
        kind: "OwnershipTable".to_owned(),
        plural: "ownershiptables".to_owned(),
    };
    let tables: Api<DynamicObject> = Api::namespaced_with(env.admin(), env.namespace(), &resource);
    let row =
        |pod: &str, token: i64| json!({"pod": pod, "uid": format!("uid-{pod}"), "shard": 3, "token": token});
    let mut table = DynamicObject::new("id", &resource);
    table.data = json!({"spec": {"rows": {"7": row("a", 10)}}});
    tables.create(&PostParams::default(), &table).await.unwrap();

    let attempts = [
        ("a smaller token", json!({"7": row("a", 9)})),
        ("the same token for another Pod", json!({"7": row("b", 10)})),
        ("a row that is removed", json!({"7": null})),
        ("a row without a Pod", json!({"8": row("", 11)})),
        ("a Pod without a uid", json!({"8": {"pod": "b", "uid": "", "token": 11}})),
        ("no token", json!({"8": {"pod": "b", "uid": "u"}})),
    ];
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    let mut through = Vec::new();
    for (what, rows) in attempts {
        let patch = Patch::Merge(json!({"spec": {"rows": rows}}));
        match tables.patch("id", &params, &patch).await {
            Ok(_) => through.push(what),
            Err(kube::Error::Api(status)) if status.code == 422 => {}
            Err(error) => panic!("{what}: {error}"),
        }
    }
    // What is right is let through by each definition.
    for rows in [json!({"7": row("b", 11), "8": row("b", 4)}), json!({"7": row("a", 10)})] {
        let patch = Patch::Merge(json!({"spec": {"rows": rows}}));
        tables.patch("id", &params, &patch).await.unwrap();
    }
    Some(through)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_changes_only_to_a_larger_token_and_is_never_removed() {
    let Some(through) = let_through("whole.test", |_| {}).await else { return };
    assert_eq!(through, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_rule_on_tokens_they_fall() {
    let Some(through) = let_through("tokens.test", |definition| leave_out(definition, 1)).await else {
        return;
    };
    assert_eq!(through, ["a smaller token", "the same token for another Pod"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_rule_on_removal_rows_go() {
    let Some(through) = let_through("removal.test", |definition| leave_out(definition, 0)).await else {
        return;
    };
    assert_eq!(through, ["a row that is removed"]);
}

fn leave_out(definition: &mut Value, rule: usize) {
    let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let rules = &mut schema["properties"]["spec"]["properties"]["rows"]["x-kubernetes-validations"];
    rules.as_array_mut().unwrap().remove(rule);
}
