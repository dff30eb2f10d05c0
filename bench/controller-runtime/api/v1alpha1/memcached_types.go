package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MemcachedSpec is what a user asks for. The definition fills in every default but those of image and resources.
type MemcachedSpec struct {
	Replicas             int32                        `json:"replicas"`
	Image                string                       `json:"image,omitempty"`
	Version              string                       `json:"version,omitempty"`
	MemoryLimitMegabytes int32                        `json:"memoryLimitMegabytes"`
	MaxConnections       int32                        `json:"maxConnections"`
	Threads              int32                        `json:"threads"`
	ExtraArgs            []string                     `json:"extraArgs,omitempty"`
	Resources            *corev1.ResourceRequirements `json:"resources,omitempty"`
}

// MemcachedStatus is what the operator reports.
type MemcachedStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Replicas           int32              `json:"replicas"`
	ReadyReplicas      int32              `json:"readyReplicas"`
	Ready              string             `json:"ready,omitempty"`
	Selector           string             `json:"selector,omitempty"`
	Image              string             `json:"image,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

// Memcached is a fleet of memcached servers.
//
// +kubebuilder:object:root=true
type Memcached struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   MemcachedSpec   `json:"spec"`
	Status MemcachedStatus `json:"status,omitempty"`
}

// MemcachedList is a list of Memcached.
//
// +kubebuilder:object:root=true
type MemcachedList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Memcached `json:"items"`
}
