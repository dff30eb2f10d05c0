{{/*
What the operator may do, and why. `cargo xtask chart` compares with deploy/rbac.yaml, which the operator's tests run with:
a rule too many shows there, and one too few in the tests.
*/}}

{{/* In every namespace that is watched. */}}
{{- define "memcached-operator.workRules" -}}
# Each replica watches the resources of its shards; the bucket label and the finalizer that keeps a name taken are patched in.
- apiGroups: [cache.example.com]
  resources: [memcacheds]
  verbs: [get, list, watch, patch]
# The conditions, and the bucket.
- apiGroups: [cache.example.com]
  resources: [memcacheds/status]
  verbs: [patch]
# The children are written by server-side apply, which needs `create` for those that are missing. They are deleted by the
# garbage collector, so the operator deletes nothing.
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch]
# The same for the Service that gives the servers their names,
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
# and for the budget that keeps node drains from taking them all at once.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
# Why servers are not ready: Pods that cannot be started,
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
# and, by `list`, Pods that cannot be created. The rest is for events about a resource; a repeated
# event increases the count of the first one.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [list, create, patch]
{{- end -}}

{{/* In the namespace of the Leases. */}}
{{- define "memcached-operator.electionRules" -}}
# One Lease for each shard, one for the coordinator, one for each replica. Replicas delete their own when they end, and the
# coordinator deletes those of shards that are no more. Their names are not all known beforehand, so no rule can list them.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, delete]
# "... became leader", "... stopped leading": events about the Leases.
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}

{{/* In the namespace of the Leases, for fencing. */}}
{{- define "memcached-operator.fencingRules" -}}
# Which Pod owns what. It is never deleted by replicas.
- apiGroups: [shard-router.dev]
  resources: [ownershiptables]
  verbs: [get, list, watch, create, patch]
# Events on it, and on the Pod, if it has been edited or cannot be written.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* For people who run `memcached-operator status`, in the namespace of the Leases. */}}
{{- define "memcached-operator.statusLeaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [list]
{{- end -}}

{{/* Likewise, in every namespace that is watched: to count the resources of each shard. */}}
{{- define "memcached-operator.statusResourceRules" -}}
- apiGroups: [cache.example.com]
  resources: [memcacheds]
  verbs: [list]
{{- end -}}

{{/* In the release's namespace. Arguments: the name of the ConfigMap. */}}
{{- define "memcached-operator.shardsRules" -}}
# How many shards are wanted. A list or watch of one object by its name is permitted by that name.
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ . }}]
  verbs: [list, watch]
# An event on it, if it cannot be followed.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* The operator, as the subject of a binding. */}}
{{- define "memcached-operator.subject" -}}
- kind: ServiceAccount
  name: {{ include "memcached-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
