// Package controller has the two ways to write the operator that are measured.
package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	cachev1alpha1 "memcached-operator.invalid/bench/controller-runtime/api/v1alpha1"
	"memcached-operator.invalid/bench/controller-runtime/internal/children"
)

// Scaffold is what kubebuilder's scaffold leads people to write: read from the cache, apply every child at each reconcile, and update
// the status where it differs. Every event of the resource or of a child it owns leads to a reconcile, its own writes included.
type Scaffold struct {
	client.Client
	Recorder events.EventRecorder
}

// SetupWithManager registers the controller.
func (r *Scaffold) SetupWithManager(mgr ctrl.Manager, options controller.Options, recorded Recording) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&cachev1alpha1.Memcached{}).
		Owns(&corev1.Service{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		Owns(&appsv1.StatefulSet{}).
		WithOptions(options).
		Named("memcached").
		Complete(recorded(r))
}

// Reconcile brings one Memcached to what its spec asks for.
func (r *Scaffold) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var memcached cachev1alpha1.Memcached
	if err := r.Get(ctx, req.NamespacedName, &memcached); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !memcached.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	isNew := memcached.Status.ObservedGeneration == 0

	for _, child := range []runtime.ApplyConfiguration{
		children.Service(&memcached),
		children.PodDisruptionBudget(&memcached),
		children.StatefulSet(&memcached),
	} {
		if err := r.Apply(ctx, child, client.FieldOwner(children.FieldManager), client.ForceOwnership); err != nil {
			return ctrl.Result{}, fmt.Errorf("a child could not be applied: %w", err)
		}
	}

	var servers *appsv1.StatefulSet
	var seen appsv1.StatefulSet
	switch err := r.Get(ctx, req.NamespacedName, &seen); {
	case err == nil:
		servers = &seen
	case client.IgnoreNotFound(err) != nil:
		return ctrl.Result{}, err
	}

	before := memcached.Status.DeepCopy()
	report(&memcached, servers)
	if !equality.Semantic.DeepEqual(before, &memcached.Status) {
		if err := r.Status().Update(ctx, &memcached); err != nil {
			return ctrl.Result{}, fmt.Errorf("the status could not be updated: %w", err)
		}
	}
	if isNew {
		created(r.Recorder, &memcached)
	}
	return ctrl.Result{}, nil
}

func created(recorder events.EventRecorder, memcached *cachev1alpha1.Memcached) {
	recorder.Eventf(memcached, nil, corev1.EventTypeNormal, "Created", "Apply",
		"Created Service %[1]s, PodDisruptionBudget %[1]s, StatefulSet %[1]s.", memcached.Name)
}
