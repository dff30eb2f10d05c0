{{/*
What is in the cluster before an upgrade. Only Helm on its way to a cluster can tell: `helm template` and what renders charts like it see
nothing here.
*/}}

{{/* How many replicas there are to be, and the operator's arguments: `{replicas: 1, args: [--leader-elect=false, …]}`, or nothing. */}}
{{- define "memcached-operator.before" -}}
{{- $deployment := lookup "apps/v1" "Deployment" .Release.Namespace (include "memcached-operator.fullname" .) -}}
{{- range dig "spec" "template" "spec" "containers" list $deployment -}}
{{- if eq .name "operator" -}}
{{- dict "replicas" (dig "spec" "replicas" 1 $deployment) "args" (.args | default list) | toJson -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether the replicas of before go by no Leases, or by Leases of another name or in another namespace; else nothing. */}}
{{- define "memcached-operator.replicasBeforeAreStrangers" -}}
{{- with include "memcached-operator.before" . | default "{}" | fromJson -}}
{{- $args := .args -}}
{{- range list
    "--leader-elect=true"
    (printf "--leader-election-id=%s" $.Values.leaderElection.id)
    (printf "--leader-election-namespace=%s" (include "memcached-operator.leaseNamespace" $)) -}}
{{- if not (has . $args) }}true{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
A Deployment that is given another template and more replicas at once starts the additional replicas from the old template first, whatever its
strategy. Of a replica without Leases there must be no second one.
*/}}
{{- define "memcached-operator.validateUpgrade" -}}
{{- with include "memcached-operator.before" . | default "{}" | fromJson -}}
{{- if and (has "--leader-elect=false" .args) (gt (int .replicas) 0) (gt (int $.Values.replicas) (int .replicas)) -}}
{{- fail (printf "leaderElection.enabled was off, and an upgrade that raises replicas from %d to %d as well would start %d of the old replicas, which do not know of each other; upgrade with replicas=%d first, and raise it then" (int .replicas) (int $.Values.replicas) (int $.Values.replicas) (int .replicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
