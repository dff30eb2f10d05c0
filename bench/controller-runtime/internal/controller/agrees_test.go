package controller

import (
	"encoding/json"
	"testing"
)

func TestWhatTheAPIServerFillsInAgreesAndWhatWasRemovedDoesNot(t *testing.T) {
	for name, test := range map[string]struct {
		wanted, found string
		agrees        bool
	}{
		"the same":                   {`{"args": ["-m", "64"]}`, `{"args": ["-m", "64"]}`, true},
		"a default":                  {`{"probe": {"timeoutSeconds": 2}}`, `{"probe": {"timeoutSeconds": 2, "successThreshold": 1}}`, true},
		"another value":              {`{"replicas": 2}`, `{"replicas": 3}`, false},
		"a value that is missing":    {`{"replicas": 2}`, `{}`, false},
		"an argument that was taken": {`{"args": ["-m"]}`, `{"args": ["-m", "-v"]}`, false},
		"a limit that was taken":     {`{"limits": {"memory": "1Gi"}}`, `{"limits": {"memory": "1Gi", "cpu": "1"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if within(decoded(t, test.wanted), decoded(t, test.found)) != test.agrees {
				t.Errorf("%s within %s should be %v", test.wanted, test.found, test.agrees)
			}
		})
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}
