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
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	cachev1alpha1 "memcached-operator.invalid/bench/controller-runtime/api/v1alpha1"
	"memcached-operator.invalid/bench/controller-runtime/internal/children"
)

// Best is the least that we know how to do with controller-runtime: what is to be is compared with what the cache has, nothing is sent
// where they agree, and no reconcile follows from this operator's own writes. It needs a client that reads its own writes
// (main.go): on an older cache it would apply again what it has just applied.
type Best struct {
	client.Client
	Recorder events.EventRecorder
}

// SetupWithManager registers the controller.
func (r *Best) SetupWithManager(mgr ctrl.Manager, options controller.Options, recorded Recording) error {
	// Each resource is reconciled when it is first listed, so that its children need not be.
	notCreated := builder.WithPredicates(predicate.Funcs{CreateFunc: func(event.CreateEvent) bool { return false }})
	return ctrl.NewControllerManagedBy(mgr).
		// A write of the status does not change the generation.
		For(&cachev1alpha1.Memcached{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&corev1.Service{}, notCreated).
		Owns(&policyv1.PodDisruptionBudget{}, notCreated).
		Owns(&appsv1.StatefulSet{}, notCreated).
		WithOptions(options).
		Named("memcached").
		Complete(recorded(r))
}

// Reconcile brings one Memcached to what its spec asks for.
func (r *Best) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var memcached cachev1alpha1.Memcached
	if err := r.Get(ctx, req.NamespacedName, &memcached); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !memcached.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}

	var servers appsv1.StatefulSet
	for _, child := range []struct {
		desired runtime.ApplyConfiguration
		live    client.Object
	}{
		{children.Service(&memcached), &corev1.Service{}},
		{children.PodDisruptionBudget(&memcached), &policyv1.PodDisruptionBudget{}},
		{children.StatefulSet(&memcached), &servers},
	} {
		if err := r.ensure(ctx, req.NamespacedName, child.desired, child.live); err != nil {
			return ctrl.Result{}, err
		}
	}

	before := memcached.DeepCopy()
	report(&memcached, &servers)
	if !equality.Semantic.DeepEqual(before.Status, memcached.Status) {
		// No resourceVersion goes with it: nobody else writes the status, and a conflict would cost a request.
		if err := r.Status().Patch(ctx, &memcached, client.MergeFrom(before)); err != nil {
			return ctrl.Result{}, fmt.Errorf("the status could not be patched: %w", err)
		}
	}
	if before.Status.ObservedGeneration == 0 {
		created(r.Recorder, &memcached)
	}
	return ctrl.Result{}, nil
}

// ensure applies a child unless the cache shows that it is as it should be. live is then what the cache has, else the answer to the apply.
func (r *Best) ensure(ctx context.Context, key client.ObjectKey, child runtime.ApplyConfiguration, live client.Object) error {
	err := r.Get(ctx, key, live)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err == nil {
		same, err := agrees(child, live)
		if same || err != nil {
			return err
		}
	}
	if err := r.Apply(ctx, child, client.FieldOwner(children.FieldManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("%T %s could not be applied: %w", live, key, err)
	}
	// The answer has been written into what was applied.
	answer, err := runtime.DefaultUnstructuredConverter.ToUnstructured(child)
	if err != nil {
		return err
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(answer, live)
}
