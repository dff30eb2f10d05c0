// Says what kstatus, by which `helm --wait`, Flux and others wait, makes of objects: one JSON object a line in, one status a line out.
package main

import (
	"bufio"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		object := &unstructured.Unstructured{}
		fail(object.UnmarshalJSON(lines.Bytes()))
		result, err := status.Compute(object)
		fail(err)
		fmt.Println(result.Status)
	}
	fail(lines.Err())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
