{{/* The operator's arguments, one for each setting, so that `kubectl get deployment -o yaml` tells them all. */}}
{{- define "memcached-operator.args" -}}
- --leader-elect={{ .Values.leaderElection.enabled }}
- --leader-election-id={{ .Values.leaderElection.id }}
- --leader-election-namespace={{ include "memcached-operator.leaseNamespace" . }}
- --installation={{ .Release.Namespace }}/{{ .Release.Name }}
- --release-on-cancel={{ .Values.leaderElection.releaseOnCancel }}
- --preset={{ .Values.leaderElection.preset }}
{{- with .Values.leaderElection.leaseDuration }}
- --lease-duration={{ . }}
{{- end }}
{{- with .Values.leaderElection.renewDeadline }}
- --renew-deadline={{ . }}
{{- end }}
{{- with .Values.leaderElection.retryPeriod }}
- --retry-period={{ . }}
{{- end }}
{{- if include "memcached-operator.stateDir" . }}
- --state-dir={{ include "memcached-operator.stateDir" . }}
{{- end }}
{{- if .Values.leaderElection.enabled }}
- --shards-config-map={{ include "memcached-operator.shardsName" . }}
{{- else }}
- --shards={{ .Values.shards }}
{{- end }}
{{- with .Values.shardKeyLabel }}
- --shard-key-label={{ . }}
{{- end }}
{{- if .Values.replaceLayout }}
- --replace-layout
{{- end }}
{{- with .Values.watchNamespaces }}
- --watch-namespaces={{ join "," . }}
{{- end }}
{{- if .Values.fencing.enabled }}
- --fencing={{ ternary "required" "on" .Values.fencing.required }}
{{- end }}
- --concurrency={{ .Values.concurrency }}
- --resync-interval={{ .Values.resyncInterval }}
- --retry-max-backoff={{ .Values.retryMaxBackoff }}
- --drain-timeout={{ .Values.drainTimeout }}
- {{ printf "--reconcile-records=%s" .Values.reconcileRecords | quote }}
- --health-addr={{ .Values.listenAddress }}:{{ .Values.health.port }}
- --metrics-addr={{ if .Values.metrics.enabled }}{{ .Values.listenAddress }}:{{ .Values.metrics.port }}{{ else }}off{{ end }}
- --log-format={{ .Values.logFormat }}
- {{ printf "--log-level=%s" .Values.logLevel | quote }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What a replica has to know about its Pod. */}}
{{- define "memcached-operator.env" -}}
# The part of holderIdentity that people read.
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
# Owner of the replica's member Lease, which then goes with the Pod, where the two are in one namespace. With fencing, the rows of the OwnershipTable name it.
- name: POD_UID
  valueFrom:
    fieldRef:
      fieldPath: metadata.uid
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
