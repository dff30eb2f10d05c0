{{/* What objects in the release's namespace are called. */}}
{{- define "memcached-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What objects are called that live outside of the release's namespace, where a namesake's objects may be too. */}}
{{- define "memcached-operator.wideName" -}}
{{- printf "%s-%s" (include "memcached-operator.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "memcached-operator.serviceAccountName" -}}
{{- default (include "memcached-operator.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* A name with a suffix, short enough for a Service. Arguments: the name, the suffix. */}}
{{- define "memcached-operator.suffixed" -}}
{{- $suffix := index . 1 -}}
{{- printf "%s%s" (index . 0 | trunc (sub 63 (len $suffix) | int) | trimSuffix "-") $suffix -}}
{{- end -}}

{{/*
What finds this release's Pods. It can never be changed in a Deployment, so it follows from nothing that may be changed later:
nameOverride is for names only.
*/}}
{{- define "memcached-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Each key once: a key twice is an error to kustomize and to Flux. commonLabels win over all but the selector's. */}}
{{- define "memcached-operator.labels" -}}
{{- $own := include "memcached-operator.selectorLabels" . | fromYaml -}}
{{- $about := dict "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $about "app.kubernetes.io/part-of" "memcached-operator" -}}
{{- $_ := set $about "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $about "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- merge $own .Values.commonLabels $about | toYaml -}}
{{- end -}}

{{/* The same, and more that win over all but the selector's. Arguments: the root, the labels. */}}
{{- define "memcached-operator.labelsWith" -}}
{{- $own := include "memcached-operator.selectorLabels" (index . 0) | fromYaml -}}
{{- merge $own (index . 1) (include "memcached-operator.labels" (index . 0) | fromYaml) | toYaml -}}
{{- end -}}

{{/* Those of the Pods: not the chart's version, with which every upgrade of the chart would move the shards. */}}
{{- define "memcached-operator.podLabels" -}}
{{- $own := include "memcached-operator.selectorLabels" . | fromYaml -}}
{{- merge $own .Values.podLabels .Values.commonLabels | toYaml -}}
{{- end -}}

{{/* registry/repository:tag@digest, without what is not set. */}}
{{- define "memcached-operator.image" -}}
{{- with .Values.image -}}
{{- $tag := .tag -}}
{{- if not (or $tag .digest) -}}{{- $tag = $.Chart.AppVersion -}}{{- end -}}
{{- with .registry }}{{ . }}/{{ end }}{{ .repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{/* The admission policies of fencing, which are in no namespace; another one has the suffix -rows. */}}
{{- define "memcached-operator.fencingName" -}}
{{- include "memcached-operator.suffixed" (list (include "memcached-operator.wideName" .) "-fencing") -}}
{{- end -}}

{{/* LeaderElectionNamespace. */}}
{{- define "memcached-operator.leaseNamespace" -}}
{{- default .Release.Namespace .Values.leaderElection.namespace -}}
{{- end -}}

{{/* The ConfigMap that says how many shards are wanted. */}}
{{- define "memcached-operator.shardsName" -}}
{{- include "memcached-operator.suffixed" (list (include "memcached-operator.fullname" .) "-shards") -}}
{{- end -}}

{{/* The directory that reconcile records are written to, or nothing if they go to no file. */}}
{{- define "memcached-operator.recordsDir" -}}
{{- if hasPrefix "/" .Values.reconcileRecords }}{{ dir .Values.reconcileRecords }}{{ end -}}
{{- end -}}

{{/* The directory by which a container that restarts knows that the process before it has ended, or nothing if there are no Leases to take back. */}}
{{- define "memcached-operator.stateDir" -}}
{{- if and .Values.leaderElection.enabled .Values.leaderElection.restartInPlace }}/var/lib/memcached-operator{{ end -}}
{{- end -}}

{{/* Which setting of the PodDisruptionBudget forbids the eviction of every ready replica, with its value; empty if none does. */}}
{{- define "memcached-operator.blocksEvictions" -}}
{{- $replicas := int .Values.replicas -}}
{{- $min := toString .Values.podDisruptionBudget.minAvailable -}}
{{- $max := toString .Values.podDisruptionBudget.maxUnavailable -}}
{{- if and .Values.podDisruptionBudget.enabled (gt $replicas 0) -}}
{{- if $min -}}
{{- $kept := trimSuffix "%" $min | int -}}
{{- if hasSuffix "%" $min -}}
{{- $kept = div (add (mul $kept $replicas) 99) 100 -}}
{{- end -}}
{{- if ge (int $kept) $replicas -}}
podDisruptionBudget.minAvailable ({{ $min }})
{{- end -}}
{{- else if and $max (eq (trimSuffix "%" $max | int) 0) -}}
podDisruptionBudget.maxUnavailable ({{ $max }})
{{- end -}}
{{- end -}}
{{- end -}}
