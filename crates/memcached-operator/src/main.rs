//! Placeholder.
fn main() {
    print!("{}", memcached_operator::crd::to_yaml().expect("crd"));
}
