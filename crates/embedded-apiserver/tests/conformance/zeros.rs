//! What Go writes of fields that were never set, asked of the Go types themselves.

use std::collections::BTreeMap;
use std::process::Command;

use kube_testkit::versions::KUBERNETES_STAGING;

/// By definition and field: `omit` or `null`.
pub(crate) type Zeros = BTreeMap<String, BTreeMap<String, String>>;

/// Runs `zeros/main.go` against the types of the Kubernetes release that this crate builds.
pub(crate) fn of_go_types() -> Zeros {
    let dir = kube_testkit::WorkDir::create().expect("a directory");
    std::fs::write(dir.path().join("main.go"), include_str!("zeros/main.go")).expect("a file");
    let go = |args: &[&str]| {
        let output = Command::new("go")
            .args(args)
            .current_dir(dir.path())
            .envs([("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=mod"), ("GOWORK", "off")])
            .output()
            .expect("go is installed");
        assert!(output.status.success(), "go {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    go(&["mod", "init", "build.invalid/zeros"]);
    for module in ["k8s.io/api", "k8s.io/apimachinery"] {
        go(&["mod", "edit", &format!("-require={module}@{KUBERNETES_STAGING}")]);
    }
    serde_json::from_slice(&go(&["run", "-trimpath", "."])).expect("it prints JSON")
}
