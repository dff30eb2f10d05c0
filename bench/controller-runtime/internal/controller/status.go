package controller

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	cachev1alpha1 "memcached-operator.invalid/bench/controller-runtime/api/v1alpha1"
	"memcached-operator.invalid/bench/controller-runtime/internal/children"
)

// report says in the status what became of a Memcached; servers is nil before they have been seen. It says what our operator says,
// so that writes of the status are as large.
func report(m *cachev1alpha1.Memcached, servers *appsv1.StatefulSet) {
	desired := m.Spec.Replicas
	var seen appsv1.StatefulSetStatus
	if servers != nil {
		seen = servers.Status
	}
	m.Status.ObservedGeneration = m.Generation
	m.Status.Replicas = seen.Replicas
	m.Status.ReadyReplicas = seen.ReadyReplicas
	m.Status.Ready = fmt.Sprintf("%d/%d", seen.ReadyReplicas, desired)
	m.Status.Selector = labels.SelectorFromSet(children.Selector(m)).String()
	m.Status.Image = children.Image(m)

	ready, reason, message := rollout(desired, servers)
	set(m, "Ready", ready, reason, message)
	set(m, "Reconciling", !ready, reason, message)
	set(m, "Stalled", false, "NotStalled", "Nothing has to be changed by hand.")
	set(m, "Degraded", false, "AsExpected", "Every child is as it should be.")
	available, reason := availability(desired, seen.ReadyReplicas)
	set(m, "Available", available, reason, fmt.Sprintf("%d of %d servers are ready.", seen.ReadyReplicas, desired))
}

func rollout(desired int32, servers *appsv1.StatefulSet) (ready bool, reason, message string) {
	if servers == nil || servers.Status.ObservedGeneration < servers.Generation {
		return false, "RollingOut", "The StatefulSet has not been looked at by its controller yet."
	}
	seen := servers.Status
	rolledOut := seen.UpdateRevision == "" || seen.CurrentRevision == seen.UpdateRevision
	if seen.Replicas == desired && seen.ReadyReplicas >= desired && (rolledOut || seen.UpdatedReplicas >= desired) {
		return true, "RolledOut", "The servers are as the spec asks for."
	}
	return false, "RollingOut",
		fmt.Sprintf("%d of %d servers are up to date, %d are ready.", seen.UpdatedReplicas, desired, seen.ReadyReplicas)
}

func availability(desired, ready int32) (bool, string) {
	switch {
	case desired == 0:
		return true, "ScaledToZero"
	case ready >= desired:
		return true, "AllReady"
	case ready >= max(desired-1, 1):
		return true, "EnoughReady"
	default:
		return false, "TooFewReady"
	}
}

func set(m *cachev1alpha1.Memcached, kind string, holds bool, reason, message string) {
	status := metav1.ConditionFalse
	if holds {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&m.Status.Conditions, metav1.Condition{
		Type:               kind,
		Status:             status,
		ObservedGeneration: m.Generation,
		Reason:             reason,
		Message:            message,
	})
}
