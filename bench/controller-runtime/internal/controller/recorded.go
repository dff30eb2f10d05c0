package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Recording decides what is written about each reconcile.
type Recording func(reconcile.Reconciler) reconcile.Reconciler

// Unrecorded writes nothing.
func Unrecorded(reconciler reconcile.Reconciler) reconcile.Reconciler { return reconciler }

// Recorded writes a line of JSON to standard output when a reconcile has ended: what the bench needs of the lines that our operator writes.
func Recorded(reconciler reconcile.Reconciler) reconcile.Reconciler {
	replica := fmt.Sprintf("%s_%d", os.Getenv("POD_NAME"), os.Getpid())
	return reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		result, err := reconciler.Reconcile(ctx, req)
		outcome := "ok"
		if err != nil {
			outcome = "error"
		}
		var now unix.Timespec
		if failed := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); failed != nil {
			panic(failed) // Linux has had this clock since 2.6.39.
		}
		line, failed := json.Marshal(map[string]any{
			"record": "end", "replica": replica, "cr": req.String(), "outcome": outcome, "boot_ns": now.Nano(),
		})
		if failed != nil {
			panic(failed) // Strings and a number.
		}
		// One write, so that lines are whole.
		_, _ = os.Stdout.Write(append(line, '\n'))
		return result, err
	})
}
