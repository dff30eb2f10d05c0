//! Which Pod cannot be started, and why: a pure function of the Pods.
//!
//! A container that cannot run shows other states in turn, so several are one reason here, and the sentences are our own:
//! what the resource says changes when something happens, not at every attempt of the kubelet's.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use crate::reconcile::finding::PodFailure;

/// Names as Kubernetes uses them.
const CRASH_LOOP: &str = "CrashLoopBackOff";
const IMAGE_PULL: &str = "ImagePullBackOff";
const UNSCHEDULABLE: &str = "Unschedulable";
const CANNOT_START: &str = "ContainerCannotStart";

/// A container that runs and is not ready after so many restarts is between two crashes.
const RESTARTS: i32 = 2;

/// The failure of the first Pod, by ordinal, of those that the owner with this uid controls. Pods that are being deleted don't count.
pub(super) fn of_pods(pods: &[Pod], owner: &str) -> Option<PodFailure> {
    let stays = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none() && is_controlled_by(pod, owner);
    let mut pods: Vec<&Pod> = pods.iter().filter(stays).collect();
    pods.sort_by_key(|pod| ordinal(pod));
    pods.into_iter().find_map(of_pod)
}

fn is_controlled_by(pod: &Pod, owner: &str) -> bool {
    let mut owners = pod.metadata.owner_references.iter().flatten();
    owners.any(|reference| reference.controller == Some(true) && reference.uid == owner)
}

fn ordinal(pod: &Pod) -> Option<u32> {
    name(pod).rsplit_once('-').and_then(|(_, ordinal)| ordinal.parse().ok())
}

fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

fn of_pod(pod: &Pod) -> Option<PodFailure> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten().map(|container| (container, true));
    let main = status.container_statuses.iter().flatten().map(|container| (container, false));
    let mut containers = init.chain(main);
    containers
        .find_map(|(container, is_init)| of_container(pod, container, is_init))
        .or_else(|| unscheduled(pod))
}

/// The Pod cannot be scheduled. The scheduler's message is quoted, because only the scheduler knows the cause.
fn unscheduled(pod: &Pod) -> Option<PodFailure> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    let refused = conditions.iter().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some(UNSCHEDULABLE)
    })?;
    let why = refused.message.as_deref().filter(|why| !why.is_empty());
    let why = why.map(|why| format!(": {}", why.trim_end_matches('.'))).unwrap_or_default();
    let message = format!("Pod {} cannot be scheduled{why}", name(pod));
    Some(PodFailure { reason: UNSCHEDULABLE, message, is_quote: true })
}

fn of_container(pod: &Pod, container: &ContainerStatus, is_init: bool) -> Option<PodFailure> {
    let state = container.state.as_ref()?;
    let place = format!("container {} of Pod {}", container.name, name(pod));
    let failure = |reason, message| Some(PodFailure { reason, message, is_quote: false });
    let waits_for = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
    match waits_for {
        // What a kubelet says at an attempt, and between two.
        Some(
            "ErrImagePull"
            | IMAGE_PULL
            | "RegistryUnavailable"
            | "ImageInspectError"
            | "SignatureValidationFailed",
        ) => {
            let image = &container.image;
            return failure(
                IMAGE_PULL,
                format!("image {image} of {place} cannot be pulled; the events of the Pod say why"),
            );
        }
        Some(CRASH_LOOP | "RunContainerError") => {}
        Some(reason) if !["ContainerCreating", "PodInitializing"].contains(&reason) => {
            return failure(
                CANNOT_START,
                format!("{place} cannot start ({reason}); the events of the Pod say why"),
            );
        }
        _ if !is_between_crashes(container, is_init) => return None,
        _ => {}
    }
    let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let exit = state.terminated.as_ref().or(last).map(exit).unwrap_or_default();
    failure(CRASH_LOOP, format!("{place} keeps crashing{exit}; its log says why"))
}

/// Whether a container that is not waiting has crashed before, and will probably crash again.
fn is_between_crashes(container: &ContainerStatus, is_init: bool) -> bool {
    let Some(state) = &container.state else { return false };
    if state.running.is_some() {
        return container.restart_count >= RESTARTS && !container.ready;
    }
    // An init container that succeeds has done its work.
    let ended = state.terminated.as_ref().filter(|ended| !is_init || ended.exit_code != 0);
    ended.is_some() && container.restart_count > 0
}

fn exit(ended: &ContainerStateTerminated) -> String {
    // These say no more than the code does.
    let cause = ended.reason.as_deref().filter(|reason| !["", "Error", "Completed"].contains(reason));
    let cause = cause.map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!(", last with exit code {}{cause}", ended.exit_code)
}

#[cfg(test)]
mod tests;
