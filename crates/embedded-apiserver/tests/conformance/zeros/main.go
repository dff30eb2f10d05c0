// Prints what Go's encoder does with the zero values of fields, which no OpenAPI document tells:
// {"core.v1.Container": {"image": "omit"}, "core.v1.PodSpec": {"containers": "null"}, …}.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	zeros     = map[string]map[string]string{}
	marshaler = reflect.TypeFor[json.Marshaler]()
)

func main() {
	for _, root := range []any{
		appsv1.DaemonSet{}, appsv1.Deployment{}, appsv1.ReplicaSet{}, appsv1.StatefulSet{}, batchv1.CronJob{}, batchv1.Job{},
		coordinationv1.Lease{}, corev1.ConfigMap{}, corev1.Event{}, corev1.Namespace{}, corev1.Pod{}, corev1.Secret{},
		corev1.Service{}, corev1.ServiceAccount{}, networkingv1.Ingress{}, networkingv1.NetworkPolicy{},
		policyv1.PodDisruptionBudget{}, rbacv1.ClusterRole{}, rbacv1.ClusterRoleBinding{}, rbacv1.Role{}, rbacv1.RoleBinding{},
	} {
		visit(reflect.TypeOf(root))
	}
	if err := json.NewEncoder(os.Stdout).Encode(zeros); err != nil {
		panic(err)
	}
}

func visit(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		visit(t.Elem())
	case reflect.Struct:
		// What encodes itself has no fields.
		if !t.Implements(marshaler) && !reflect.PointerTo(t).Implements(marshaler) && zeros[name(t)] == nil {
			zeros[name(t)] = map[string]string{}
			fields(t, zeros[name(t)])
		}
	}
}

// fields notes the fields of a struct, and of those that are inlined in it.
func fields(t reflect.Type, found map[string]string) {
	for i := range t.NumField() {
		field := t.Field(i)
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || tag == "-" {
			continue
		}
		if tag == "" && field.Anonymous && field.Type.Kind() == reflect.Struct {
			fields(field.Type, found)
			continue
		}
		if zero := zeroOf(field.Type, options); zero != "" {
			found[tag] = zero
		}
		visit(field.Type)
	}
}

func zeroOf(t reflect.Type, options string) string {
	omitted := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
	switch {
	case t == reflect.TypeOf(metav1.Time{}) || t == reflect.TypeOf(metav1.MicroTime{}):
		// omitempty leaves out no struct.
		if !strings.Contains(options, "omitzero") {
			return "null"
		}
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Map:
		if !omitted {
			return "null"
		}
	case t.Kind() == reflect.Pointer || t.Kind() == reflect.Struct || t.Kind() == reflect.Interface:
	case omitted:
		return "omit"
	}
	return ""
}

// name is that of the definition, without what all have in common: core.v1.Container, meta.v1.Time.
func name(t reflect.Type) string {
	path := strings.Split(t.PkgPath(), "/")
	if len(path) < 2 {
		return t.Name()
	}
	return strings.Join(path[len(path)-2:], ".") + "." + t.Name()
}
