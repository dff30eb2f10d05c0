package children

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	cachev1alpha1 "memcached-operator.invalid/bench/controller-runtime/api/v1alpha1"
)

const (
	user         = int64(11211)
	graceSeconds = int64(10)
)

func pod(m *cachev1alpha1.Memcached) *corev1ac.PodSpecApplyConfiguration {
	return corev1ac.PodSpec().
		WithContainers(container(m)).
		WithAffinity(corev1ac.Affinity().
			WithPodAntiAffinity(corev1ac.PodAntiAffinity().
				WithPreferredDuringSchedulingIgnoredDuringExecution(corev1ac.WeightedPodAffinityTerm().
					WithWeight(100).
					WithPodAffinityTerm(corev1ac.PodAffinityTerm().
						WithTopologyKey(corev1.LabelHostname).
						WithLabelSelector(selects(m)))))).
		WithTopologySpreadConstraints(corev1ac.TopologySpreadConstraint().
			WithMaxSkew(1).
			WithTopologyKey(corev1.LabelTopologyZone).
			WithWhenUnsatisfiable(corev1.ScheduleAnyway).
			WithLabelSelector(selects(m))).
		WithSecurityContext(corev1ac.PodSecurityContext().
			WithRunAsNonRoot(true).
			WithRunAsUser(user).
			WithRunAsGroup(user).
			WithSeccompProfile(seccomp())).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(graceSeconds)
}

func container(m *cachev1alpha1.Memcached) *corev1ac.ContainerApplyConfiguration {
	return corev1ac.Container().
		WithName("memcached").
		WithImage(Image(m)).
		WithCommand("memcached").
		WithArgs(arguments(m)...).
		WithPorts(corev1ac.ContainerPort().
			WithName(portName).
			WithContainerPort(port).
			WithProtocol(corev1.ProtocolTCP)).
		WithResources(resources(m)).
		WithReadinessProbe(probe().WithPeriodSeconds(5)).
		WithLivenessProbe(probe().WithPeriodSeconds(10).WithInitialDelaySeconds(5)).
		WithSecurityContext(corev1ac.SecurityContext().
			WithAllowPrivilegeEscalation(false).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL")).
			WithReadOnlyRootFilesystem(true).
			WithRunAsNonRoot(true).
			WithSeccompProfile(seccomp()))
}

func arguments(m *cachev1alpha1.Memcached) []string {
	number := func(value int32) string { return strconv.Itoa(int(value)) }
	own := []string{
		"-m", number(m.Spec.MemoryLimitMegabytes),
		"-c", number(m.Spec.MaxConnections),
		"-t", number(m.Spec.Threads),
		"-p", number(port),
		"-U", "0",
	}
	return append(own, m.Spec.ExtraArgs...)
}

// Memory follows from the cache, with room for threads and connections, where the user says nothing of it.
func resources(m *cachev1alpha1.Memcached) *corev1ac.ResourceRequirementsApplyConfiguration {
	limits, requests := corev1.ResourceList{}, corev1.ResourceList{}
	if given := m.Spec.Resources; given != nil {
		limits, requests = given.Limits.DeepCopy(), given.Requests.DeepCopy()
	}
	if limits == nil {
		limits = corev1.ResourceList{}
	}
	if requests == nil {
		requests = corev1.ResourceList{}
	}
	if _, given := limits[corev1.ResourceMemory]; !given {
		limits[corev1.ResourceMemory] = comfortable(m)
	}
	if _, given := requests[corev1.ResourceMemory]; !given {
		requests[corev1.ResourceMemory] = limits[corev1.ResourceMemory]
	}
	return corev1ac.ResourceRequirements().WithLimits(limits).WithRequests(requests)
}

// In megabytes: the cache, an eighth of it for its tables, the program itself, connections and threads.
func comfortable(m *cachev1alpha1.Memcached) resource.Quantity {
	cache := m.Spec.MemoryLimitMegabytes
	return resource.MustParse(fmt.Sprintf("%dMi", cache+cache/8+16+m.Spec.MaxConnections/256+2*m.Spec.Threads))
}

func probe() *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithTCPSocket(corev1ac.TCPSocketAction().WithPort(intstr.FromString(portName))).
		WithTimeoutSeconds(2).
		WithFailureThreshold(3)
}

func seccomp() *corev1ac.SeccompProfileApplyConfiguration {
	return corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault)
}
