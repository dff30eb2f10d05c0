{{/* The chart's name, for labels. */}}
{{- define "memcached-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

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

{{/* What finds this release's Pods; it can never be changed. */}}
{{- define "memcached-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "memcached-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "memcached-operator.labels" -}}
{{ include "memcached-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: memcached-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* registry/repository:tag@digest, without what is not set. */}}
{{- define "memcached-operator.image" -}}
{{- with .Values.image -}}
{{- $tag := .tag -}}
{{- if not (or $tag .digest) -}}{{- $tag = $.Chart.AppVersion -}}{{- end -}}
{{- with .registry }}{{ . }}/{{ end }}{{ .repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{/* LeaderElectionNamespace. */}}
{{- define "memcached-operator.leaseNamespace" -}}
{{- default .Release.Namespace .Values.leaderElection.namespace -}}
{{- end -}}

{{/* The directory that reconcile records are written to, or nothing if they go to no file. */}}
{{- define "memcached-operator.recordsDir" -}}
{{- if hasPrefix "/" .Values.reconcileRecords }}{{ dir .Values.reconcileRecords }}{{ end -}}
{{- end -}}
