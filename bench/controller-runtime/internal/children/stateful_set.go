package children

import (
	appsv1 "k8s.io/api/apps/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	cachev1alpha1 "memcached-operator.invalid/bench/controller-runtime/api/v1alpha1"
)

const revisionsKept = 3

// StatefulSet runs the servers.
func StatefulSet(m *cachev1alpha1.Memcached) *appsv1ac.StatefulSetApplyConfiguration {
	return appsv1ac.StatefulSet(m.Name, m.Namespace).
		WithLabels(labels(m)).
		WithOwnerReferences(owner(m)).
		WithSpec(appsv1ac.StatefulSetSpec().
			WithReplicas(m.Spec.Replicas).
			WithSelector(selects(m)).
			WithServiceName(m.Name).
			WithPodManagementPolicy(appsv1.ParallelPodManagement).
			WithRevisionHistoryLimit(revisionsKept).
			WithUpdateStrategy(appsv1ac.StatefulSetUpdateStrategy().
				WithType(appsv1.RollingUpdateStatefulSetStrategyType)).
			WithTemplate(corev1ac.PodTemplateSpec().
				WithLabels(labels(m)).
				WithSpec(pod(m))))
}
