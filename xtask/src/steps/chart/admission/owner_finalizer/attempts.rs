//! A tenant with few rights cannot take the finalizer off, by whatever means; the operator can, and so could the tenant without the policy.

use anyhow::{Context, Result, bail, ensure};

use super::super::super::helm::{Helm, RELEASE};
use super::super::Server;
use super::{FINALIZER, STRIP, TENANT};

const TENANTS: &str = "team-a";
const WITH_POLICY: [&str; 2] = ["--set", "shardKeyLabel=tenant"];
const WITHOUT_POLICY: [&str; 4] =
    ["--set", "shardKeyLabel=tenant", "--set", "ownerFinalizerPolicy.enabled=false"];
const REMOVE: &str = r#"[{"op": "remove", "path": "/metadata/finalizers"}]"#;
const STRIP_AND_SCALE: &str = r#"{"metadata": {"finalizers": null}, "spec": {"replicas": 2}}"#;
const STRIP_BESIDE_STATUS: &str = r#"{"metadata": {"finalizers": null}, "status": {"ready": "1/1"}}"#;

/// One way to get rid of the finalizer.
struct Attempt {
    name: &'static str,
    /// What kubectl is asked, given the file of the resource without the finalizer; the resource's name is `NAME`.
    args: fn(&str) -> Vec<&str>,
    /// Whether the resource is about to be deleted already.
    while_deleted: bool,
    /// Whether it is the policy that has to say no. Otherwise the API server itself leaves the finalizer where it is.
    for_the_policy: bool,
}

const NAME: &str = "kept";

const ATTEMPTS: [Attempt; 9] = [
    Attempt {
        name: "a merge patch",
        args: |_| patch("merge", STRIP),
        while_deleted: false,
        for_the_policy: true,
    },
    Attempt {
        name: "a JSON patch",
        args: |_| patch("json", REMOVE),
        while_deleted: false,
        for_the_policy: true,
    },
    Attempt {
        name: "replace",
        args: |without| vec!["replace", "--filename", without],
        while_deleted: false,
        for_the_policy: true,
    },
    // The tenant is the one who applied the finalizer, so leaving it out of an apply takes it off.
    Attempt {
        name: "server-side apply by the finalizer's field manager",
        args: |without| vec!["apply", "--server-side", "--field-manager=tenant", "--filename", without],
        while_deleted: false,
        for_the_policy: true,
    },
    // What it is all about: the name is free for another resource, while somebody still works on this one.
    Attempt {
        name: "a merge patch on what is being deleted",
        args: |_| patch("merge", STRIP),
        while_deleted: true,
        for_the_policy: true,
    },
    Attempt {
        name: "a patch of the status",
        args: |_| [&patch("merge", STRIP_BESIDE_STATUS)[..], &["--subresource=status"]].concat(),
        while_deleted: false,
        for_the_policy: false,
    },
    Attempt {
        name: "replacing the status",
        args: |without| vec!["replace", "--subresource=status", "--filename", without],
        while_deleted: false,
        for_the_policy: false,
    },
    Attempt {
        name: "a patch of the scale",
        args: |_| [&patch("merge", STRIP_AND_SCALE)[..], &["--subresource=scale"]].concat(),
        while_deleted: false,
        for_the_policy: false,
    },
    Attempt {
        name: "a forced deletion",
        args: |_| vec!["delete", "memcached", NAME, "--force", "--grace-period=0", "--wait=false"],
        while_deleted: false,
        for_the_policy: false,
    },
];

fn patch(form: &'static str, patch: &'static str) -> Vec<&'static str> {
    let form = match form {
        "json" => "--type=json",
        _ => "--type=merge",
    };
    vec!["patch", "memcached", NAME, form, "--patch", patch]
}

pub(super) fn check(server: &Server, helm: &Helm) -> Result<()> {
    let install = |verb, values: &[&str]| {
        helm.act(&server.kubeconfig, &[&[verb, RELEASE, ".", "--reset-values"], values].concat())
    };
    helm.act(&server.kubeconfig, &[&["install", RELEASE, "."], &WITHOUT_POLICY[..]].concat())?;
    super::grant(server, TENANTS)?;
    create(server)?;
    super::is_lifted(server, TENANTS, NAME)?;
    remove(server)?;

    // An attempt that fails without the policy as well would prove nothing.
    for attempt in &ATTEMPTS {
        let stripped = try_it(server, attempt)
            .with_context(|| format!("without the policy, {}", attempt.name))?
            .context("nothing but the policy may refuse it")?;
        ensure!(
            stripped == attempt.for_the_policy,
            "without the policy, {} {} the finalizer off",
            attempt.name,
            if stripped { "takes" } else { "does not take" }
        );
    }

    install("upgrade", &WITH_POLICY)?;
    create(server)?;
    super::is_enforced(server, TENANTS, NAME)?;
    remove(server)?;
    for attempt in &ATTEMPTS {
        let outcome =
            try_it(server, attempt).with_context(|| format!("with the policy, {}", attempt.name))?;
        match (outcome, attempt.for_the_policy) {
            (None, true) | (Some(false), false) => {}
            (None, false) => {
                bail!("the policy refuses {}, which cannot take the finalizer off", attempt.name)
            }
            (Some(true), _) => bail!("a tenant takes the finalizer off by {}", attempt.name),
            (Some(false), true) => bail!("{} is not refused, and does nothing", attempt.name),
        }
    }

    create(server)?;
    let label = ["label", "memcached", NAME, "--namespace", TENANTS, "a=b", TENANT];
    server.ask(&label).context("a tenant may edit everything else")?;
    // Not even who may do everything, or the promise would hang on nobody's being careless.
    let administrator = super::strip(TENANTS, NAME, "--as-group=system:masters");
    let administrator = [&administrator[..], &["--as=administrator"]].concat();
    ensure!(
        super::is_refused(server.ask(&administrator))?,
        "an administrator takes the finalizer off unawares"
    );
    remove(server).context("the operator may take it off")?;

    super::revoke(server, TENANTS)?;
    super::uninstall(server, helm, RELEASE)
}

/// Whether the finalizer is gone after an attempt; nothing if the policy refused it. Leaves no resource behind.
fn try_it(server: &Server, attempt: &Attempt) -> Result<Option<bool>> {
    create(server)?;
    if attempt.while_deleted {
        server.ask(&["delete", "memcached", NAME, "--namespace", TENANTS, "--wait=false", TENANT])?;
    }
    let without = super::resource(server, TENANTS, NAME, &[])?;
    let args = [&(attempt.args)(&without)[..], &["--namespace", TENANTS, TENANT]].concat();
    let refused = super::is_refused(server.ask(&args))?;
    let stripped = !super::has_finalizer(server, TENANTS, NAME)?;
    ensure!(!(refused && stripped), "the finalizer is gone although the request was refused");
    remove(server)?;
    Ok((!refused).then_some(stripped))
}

/// The tenant makes the resource by an apply, and is so the field manager of the finalizer.
fn create(server: &Server) -> Result<()> {
    let with = super::resource(server, TENANTS, NAME, &[FINALIZER])?;
    let apply = ["apply", "--server-side", "--field-manager=tenant", "--filename", &with, TENANT];
    server.ask(&apply).map(drop)
}

/// The operator's part in a deletion.
fn remove(server: &Server) -> Result<()> {
    if super::has_finalizer(server, TENANTS, NAME)? {
        server.ask(&super::strip(TENANTS, NAME, &super::operator_of(RELEASE)))?;
    }
    let delete = ["delete", "memcached", NAME, "--namespace", TENANTS, "--ignore-not-found", "--timeout=30s"];
    server.ask(&delete).map(drop)
}
