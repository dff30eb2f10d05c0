// Package children builds what one Memcached consists of, with the content that crates/memcached-operator/src/reconcile/build gives it. Only
// the label with the bucket is missing: a controller-runtime operator does not shard.
package children

import (
	"fmt"

	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	cachev1alpha1 "memcached-operator.invalid/bench/controller-runtime/api/v1alpha1"
)

// FieldManager owns the fields that are applied.
const FieldManager = "memcached-operator"

const (
	port     = int32(11211)
	portName = "memcache"

	defaultRepository = "docker.io/library/memcached"
	defaultVersion    = "1.6.39"
)

// Selector is the label that finds the pods of one Memcached.
func Selector(m *cachev1alpha1.Memcached) map[string]string {
	return map[string]string{"cache.example.com/memcached": m.Name}
}

// Image is the image that a Memcached asks for.
func Image(m *cachev1alpha1.Memcached) string {
	if m.Spec.Image != "" {
		return m.Spec.Image
	}
	version := m.Spec.Version
	if version == "" {
		version = defaultVersion
	}
	return fmt.Sprintf("%s:%s", defaultRepository, version)
}

func labels(m *cachev1alpha1.Memcached) map[string]string {
	labels := Selector(m)
	labels["app.kubernetes.io/name"] = "memcached"
	labels["app.kubernetes.io/instance"] = m.Name
	labels["app.kubernetes.io/managed-by"] = FieldManager
	return labels
}

func selects(m *cachev1alpha1.Memcached) *metav1ac.LabelSelectorApplyConfiguration {
	return metav1ac.LabelSelector().WithMatchLabels(Selector(m))
}

func owner(m *cachev1alpha1.Memcached) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(cachev1alpha1.GroupVersion.String()).
		WithKind("Memcached").
		WithName(m.Name).
		WithUID(m.UID).
		WithController(true)
}
