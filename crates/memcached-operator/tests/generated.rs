//! What is generated and committed is up to date.

#[test]
fn the_committed_definition_is_the_generated_one() {
    let committed = include_str!("../../../deploy/crd.yaml");
    let generated = memcached_operator::crd::to_yaml().expect("the definition is plain data");
    assert!(
        committed == generated,
        "deploy/crd.yaml is out of date; run: cargo run -p memcached-operator -- crd > deploy/crd.yaml"
    );
}
