//! What kubectl shows of an election: the same as with client-go.

use std::path::{Path, PathBuf};
use std::process::Command;

use kube_testkit::{TestUser, eventually};

use crate::handoff::hand_over;
use crate::support::{DEADLINE, ID, replica};
use crate::waiting::{idle, leads, sees_holder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_shows_holder_transitions_and_events() {
    let Some(env) = kube_testkit::real("kubectl asks it").await else { return };
    let Ok(kubectl) = kube_testkit::binaries::find_kubectl() else {
        kube_testkit::skip("there is no kubectl in PATH");
        return;
    };
    let ask = Kubectl {
        program: kubectl,
        kubeconfig: env.kubeconfig(&TestUser::admin()).expect("a kubeconfig"),
        namespace: env.namespace().to_owned(),
    };
    let (first, second) = (replica(&env, "first").await, replica(&env, "second").await);
    let leader = first.lead(idle);
    leads(&leader, "the first leads").await;
    let standby = second.lead(idle);
    sees_holder(&standby, "first_1").await;
    let table = ask.run(&["get", "lease", ID]);
    assert!(table.contains("HOLDER") && table.contains("first_1"), "{table}");

    hand_over(&leader, &standby, "the second leads").await;
    let fields = "{.spec.holderIdentity} {.spec.leaseTransitions} {.spec.leaseDurationSeconds}";
    let spec = ask.run(&["get", "lease", ID, "-o", &format!("jsonpath={fields}")]);
    assert_eq!(spec.trim(), "second_1 1 5");

    let wanted = ["first_1 became leader", "first_1 stopped leading", "second_1 became leader"];
    let events = eventually("kubectl to show the events", DEADLINE, || {
        let events = ask.run(&["events", "--for", &format!("lease/{ID}")]);
        let all = wanted.iter().all(|line| events.contains(line));
        std::future::ready(all.then_some(events))
    })
    .await;
    println!("{table}{events}");
    for line in events.lines().skip(1) {
        assert!(line.contains("Normal") && line.contains("LeaderElection") && line.contains(ID), "{line}");
    }
    leader.shutdown().await;
    standby.shutdown().await;
}

struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
}

impl Kubectl {
    fn run(&self, args: &[&str]) -> String {
        let path: &Path = &self.kubeconfig;
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(path).args(["-n", &self.namespace]).args(args);
        let output = command.output().expect("kubectl runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
