// The peers of cargo xtask bench: operators on controller-runtime for the same Memcached, with the same children and the same status as ours.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	cachev1alpha1 "memcached-operator.invalid/bench/controller-runtime/api/v1alpha1"
	"memcached-operator.invalid/bench/controller-runtime/internal/controller"
)

var scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(cachev1alpha1.AddToScheme(scheme))
}

type options struct {
	mode           string
	workers        int
	qps            float64
	leaderElect    bool
	leaseNamespace string
	metrics        string
	records        bool
}

func main() {
	var o options
	flag.StringVar(&o.mode, "mode", "scaffold",
		"scaffold, as kubebuilder leads people to write it, or best, which compares with its cache first")
	flag.IntVar(&o.workers, "workers", 10, "how many resources are worked on at once (MaxConcurrentReconciles)")
	flag.Float64Var(&o.qps, "qps", 1000, "requests a second that the client allows itself; twice as many in a burst")
	flag.BoolVar(&o.leaderElect, "leader-elect", false, "let one of several replicas work at a time")
	flag.StringVar(&o.leaseNamespace, "leader-election-namespace", "", "where the Lease is, outside of a cluster")
	flag.StringVar(&o.metrics, "metrics-bind-address", "0", "where /metrics is served; 0 for nowhere")
	flag.BoolVar(&o.records, "reconcile-records", false, "write a line to standard output for each reconcile that ended")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(o options) error {
	best := o.mode == "best"
	if !best && o.mode != "scaffold" {
		return fmt.Errorf("-mode is %q; use scaffold or best", o.mode)
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.QPS, config.Burst = float32(o.qps), int(2*o.qps)

	settings := ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       metricsserver.Options{BindAddress: o.metrics},
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "memcached.cache.example.com",
		LeaderElectionNamespace:       o.leaseNamespace,
		LeaderElectionReleaseOnCancel: true, // The process ends as soon as the manager does.
	}
	if best {
		// Half of what a cached object takes, and nothing here reads it.
		settings.Cache = cache.Options{DefaultTransform: cache.TransformStripManagedFields()}
		readsItsWrites := true
		settings.Client = client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: &readsItsWrites}}
	}
	// Running work may end before the Lease is released.
	drain := 20 * time.Second
	settings.GracefulShutdownTimeout = &drain
	mgr, err := ctrl.NewManager(config, settings)
	if err != nil {
		return err
	}

	workers := ctrlcontroller.Options{MaxConcurrentReconciles: o.workers}
	recorder := mgr.GetEventRecorder("memcached-operator")
	recorded := controller.Unrecorded
	if o.records {
		recorded = controller.Recorded
	}
	if best {
		err = (&controller.Best{Client: mgr.GetClient(), Recorder: recorder}).SetupWithManager(mgr, workers, recorded)
	} else {
		err = (&controller.Scaffold{Client: mgr.GetClient(), Recorder: recorder}).SetupWithManager(mgr, workers, recorded)
	}
	if err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}
