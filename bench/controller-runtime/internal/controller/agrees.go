package controller

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// agrees tells whether live has everything that is applied. equality.Semantic.DeepDerivative would not do: it takes a number that is not
// set for a zero, and a list that is too long for one that agrees.
func agrees(applied runtime.ApplyConfiguration, live client.Object) (bool, error) {
	wanted, err := runtime.DefaultUnstructuredConverter.ToUnstructured(applied)
	if err != nil {
		return false, err
	}
	found, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return false, err
	}
	// Objects of a cache don't say what they are.
	delete(wanted, "apiVersion")
	delete(wanted, "kind")
	return within(wanted, found), nil
}

// within tells whether found is wanted, but for fields that are not mentioned, which the API server fills in.
func within(wanted, found any) bool {
	switch wanted := wanted.(type) {
	case map[string]any:
		found, isMap := found.(map[string]any)
		if !isMap {
			return false
		}
		for field, value := range wanted {
			switch field {
			case "limits", "requests", "matchLabels":
				// All entries are ours: what is found in excess was to be removed.
				if !reflect.DeepEqual(value, found[field]) {
					return false
				}
			default:
				if !within(value, found[field]) {
					return false
				}
			}
		}
		return true
	case []any:
		found, isList := found.([]any)
		if !isList || len(wanted) != len(found) {
			return false
		}
		for i := range wanted {
			if !within(wanted[i], found[i]) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(wanted, found)
	}
}
