//! Whatever the definition accepts, the types decode. Objects are generated from the definition's own schema, a server judges
//! which of them are acceptable, and each that it stored has to decode as it is read back.
//!
//! The embedded server is asked many times, and the real one some fifty times, as only that one's word counts in the end.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

mod generate;

use std::cell::Cell;
use std::time::Duration;

use embedded_apiserver::{EmbeddedServer, WallSeams};
use http::{Method, Request};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, CustomResourceExt};
use memcached_operator::crd::{Memcached, definition};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::{Value, json};
use shard_router::Lenient;
use tokio::runtime::Runtime;

#[test]
fn what_the_embedded_server_accepts_decodes() {
    let runtime = Runtime::new().unwrap();
    let client = embedded(&runtime);
    runtime.block_on(install(&client, &definition()));
    Property::new(&runtime, client, "default").holds_for(&definition(), 1_000);
}

#[test]
fn what_the_api_server_accepts_decodes() {
    let runtime = Runtime::new().unwrap();
    let why = "only it says what a definition accepts";
    let Some(env) = runtime.block_on(kube_testkit::real(why)) else { return };
    let client = {
        let _entered = runtime.enter();
        env.admin()
    };
    runtime.block_on(install(&client, &definition()));
    Property::new(&runtime, client, env.namespace()).holds_for(&definition(), 50);
}

/// The test itself: of a definition that permits more, it finds an object that does not decode.
#[test]
fn a_definition_that_accepts_too_much_is_found_out() {
    for loosened in [
        |schema: &mut Value| {
            drop(take(
                schema,
                "/properties/status/properties/conditions/items/properties/lastTransitionTime",
                "pattern",
            ));
        },
        |schema: &mut Value| drop(take(schema, "/properties/status/properties/replicas", "maximum")),
        |schema: &mut Value| {
            schema["properties"]["spec"]["properties"]["resources"]["properties"]["limits"]["properties"]["cpu"]
                ["nullable"] = json!(true);
        },
    ] {
        let mut loose = serde_json::to_value(definition()).unwrap();
        loosened(&mut loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
        let loose = serde_json::from_value(loose).unwrap();
        let runtime = Runtime::new().unwrap();
        let client = embedded(&runtime);
        runtime.block_on(install(&client, &loose));
        let property = Property::new(&runtime, client, "default");
        property.try_for(&loose, 3_000, 7).expect_err("an object that does not decode");
    }
}

fn take(schema: &mut Value, pointer: &str, word: &str) -> Value {
    let node = schema.pointer_mut(pointer).and_then(Value::as_object_mut).expect("the field is there");
    node.remove(word).expect("the word is there")
}

fn embedded(runtime: &Runtime) -> Client {
    let _entered = runtime.enter();
    EmbeddedServer::new(WallSeams::new(7)).client("default")
}

async fn install(client: &Client, definition: &CustomResourceDefinition) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let params = PatchParams::apply("tests").force();
    let name = Memcached::crd_name();
    definitions.patch(name, &params, &Patch::Apply(definition)).await.expect("the CRD is accepted");
    let established = await_condition(definitions, name, is_crd_established());
    tokio::time::timeout(Duration::from_secs(30), established).await.expect("established in time").unwrap();
}

/// What is generated is sent here.
struct Property<'a> {
    runtime: &'a Runtime,
    client: Client,
    path: String,
    sent: Cell<u32>,
    /// Of the objects, and of the statuses written to them.
    accepted: Cell<(u32, u32)>,
}

impl<'a> Property<'a> {
    fn new(runtime: &'a Runtime, client: Client, namespace: &str) -> Self {
        let path = format!("/apis/cache.example.com/v1alpha1/namespaces/{namespace}/memcacheds");
        Self { runtime, client, path, sent: Cell::default(), accepted: Cell::default() }
    }

    /// Another seed each time, unless `PROPTEST_RNG_SEED` gives one.
    fn holds_for(&self, definition: &CustomResourceDefinition, cases: u32) {
        let seed = match Config::default().rng_seed {
            RngSeed::Fixed(seed) => seed,
            RngSeed::Random => std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ()),
        };
        let result = self.try_for(definition, cases, seed);
        let ((objects, statuses), sent) = (self.accepted.get(), self.sent.get());
        eprintln!(
            "PROPTEST_RNG_SEED={seed}: of {sent} objects {objects} were accepted, and {statuses} statuses of these"
        );
        if let Err(error) = result {
            panic!("PROPTEST_RNG_SEED={seed}: {error}");
        }
        assert!(objects * 3 >= sent && statuses * 3 >= objects, "too few are accepted to say anything");
    }

    fn try_for(&self, definition: &CustomResourceDefinition, cases: u32, seed: u64) -> Result<(), String> {
        let config = Config {
            cases,
            rng_seed: RngSeed::Fixed(seed),
            failure_persistence: None,
            // Each is a request or more.
            max_shrink_iters: 200,
            ..Config::default()
        };
        let schema =
            definition.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        let schema = serde_json::to_value(schema.expect("a schema")).unwrap();
        let check = |object| self.runtime.block_on(self.check(object)).map_err(TestCaseError::fail);
        TestRunner::new(config).run(&generate::objects(&schema), check).map_err(|error| error.to_string())
    }

    /// Creates the object, then writes its status, and reads it after each.
    async fn check(&self, mut object: Value) -> Result<(), String> {
        self.sent.set(self.sent.get() + 1);
        let name = format!("generated-{}", self.sent.get());
        object["metadata"]["name"] = json!(name);
        let status = object.as_object_mut().and_then(|object| object.remove("status"));
        let one = format!("{}/{name}", self.path);
        if !self.send(Method::POST, &self.path, &object).await? {
            return Ok(());
        }
        let (objects, statuses) = self.accepted.get();
        self.accepted.set((objects + 1, statuses));
        let mut stored = self.read(&one).await?;
        let Some(status) = status else { return Ok(()) };
        stored["status"] = status;
        if self.send(Method::PUT, &format!("{one}/status"), &stored).await? {
            self.accepted.set((objects + 1, statuses + 1));
            self.read(&one).await?;
        }
        Ok(())
    }

    /// Whether it was accepted; an error where that is not the question.
    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<bool, String> {
        let request = Request::builder().method(method).uri(path).header("Content-Type", "application/json");
        match self.client.request_text(request.body(body.to_string().into_bytes()).unwrap()).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(answer)) if matches!(answer.code, 400 | 422) => Ok(false),
            Err(error) => Err(format!("{body} is neither accepted nor refused: {error}")),
        }
    }

    /// What is stored, as the operator reads it.
    async fn read(&self, path: &str) -> Result<Value, String> {
        let request = Request::get(path).body(Vec::new()).unwrap();
        let text = self.client.request_text(request).await.map_err(|error| error.to_string())?;
        match serde_json::from_str::<Lenient<Memcached>>(&text) {
            Ok(Lenient::Decoded(_)) => Ok(serde_json::from_str(&text).unwrap()),
            Ok(Lenient::Undecodable(odd)) => {
                Err(format!("accepted, and does not decode: {}: {text}", odd.error()))
            }
            Err(error) => Err(format!("accepted, and not even known by name: {error}: {text}")),
        }
    }
}
