{{/*
What the schema cannot express: each rule ends the installation with one sentence that says what is wrong and what to do.
The operator itself would refuse most of it too, but only in the log of a container that keeps ending.
*/}}
{{- define "memcached-operator.validate" -}}
{{- include "memcached-operator.validateTimings" . -}}
{{- include "memcached-operator.validateElection" . -}}
{{- include "memcached-operator.validateWork" . -}}
{{- include "memcached-operator.validateProcess" . -}}
{{- include "memcached-operator.validateObjects" . -}}
{{- include "memcached-operator.validateExtras" . -}}
{{- include "memcached-operator.validateUpgrade" . -}}
{{- end -}}

{{/* LeaseDuration > RenewDeadline > RetryPeriod × 1.2, each at least 1 s, LeaseDuration in whole seconds. */}}
{{- define "memcached-operator.validateTimings" -}}
{{- $timings := include "memcached-operator.timings" . | fromYaml -}}
{{- $lease := int64 $timings.lease -}}
{{- $renew := int64 $timings.renew -}}
{{- $retry := int64 $timings.retry -}}
{{- range $name, $value := dict "leaseDuration" $lease "renewDeadline" $renew "retryPeriod" $retry -}}
{{- if lt $value 1000 -}}
{{- fail (printf "leaderElection.%s is %d ms and has to be at least 1s; the defaults are 15s, 10s and 2s" $name $value) -}}
{{- end -}}
{{- end -}}
{{- if mod $lease 1000 -}}
{{- fail (printf "leaderElection.leaseDuration is %d ms, but a Lease stores whole seconds; round it up to %ds" $lease (add1 (div $lease 1000))) -}}
{{- end -}}
{{- if ge $renew $lease -}}
{{- fail (printf "leaderElection.renewDeadline (%d ms) has to be shorter than leaseDuration (%d ms), or a replica would work on while another takes over; raise leaseDuration or lower renewDeadline" $renew $lease) -}}
{{- end -}}
{{- if ge (mul $retry 12) (mul $renew 10) -}}
{{- fail (printf "leaderElection.retryPeriod (%d ms) with its jitter (× 1.2) has to be shorter than renewDeadline (%d ms), or one slow renewal loses the Lease; raise renewDeadline or lower retryPeriod" $retry $renew) -}}
{{- end -}}
{{- end -}}

{{- define "memcached-operator.validateElection" -}}
{{- with .Values.leaderElection -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" .id) -}}
{{- fail (printf "leaderElection.id is %q, which cannot name a Lease; use lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part, such as memcached.cache.example.com" .id) -}}
{{- end -}}
{{- if gt (len .id) 229 -}}
{{- fail (printf "leaderElection.id is %d characters long, and 229 is the most that leaves room for the suffix of a Lease (-shard-255, -member-0123456789ab); choose a shorter one" (len .id)) -}}
{{- end -}}
{{- if and (not .enabled) (gt (int $.Values.replicas) 1) -}}
{{- fail (printf "replicas is %d with leaderElection.enabled off, and nothing else keeps two replicas from reconciling the same resource; set replicas to 1 or switch the election on" (int $.Values.replicas)) -}}
{{- end -}}
{{- if and (not .enabled) $.Values.fencing.enabled -}}
{{- fail "fencing.enabled needs the Leases, and with leaderElection.enabled off there are none; switch one of them" -}}
{{- end -}}
{{- if and $.Values.fencing.required (not $.Values.fencing.enabled) -}}
{{- fail "fencing.required has no effect while fencing.enabled is off; switch fencing on first, and require it in a second upgrade" -}}
{{- end -}}
{{- if and (not .enabled) $.Values.flowControl.enabled -}}
{{- fail "flowControl.enabled is for requests about Leases, and with leaderElection.enabled off there are none; switch one of them" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "memcached-operator.validateWork" -}}
{{- range .Values.watchNamespaces -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" .) -}}
{{- fail (printf "watchNamespaces names %q, which is no namespace; use lower-case letters, digits and '-', 63 at most, with a letter or digit at both ends" .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.shardKeyLabel (not (regexMatch "^([a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$" .Values.shardKeyLabel)) -}}
{{- fail (printf "shardKeyLabel is %q, which is no label key; write it like tenant or example.com/tenant" .Values.shardKeyLabel) -}}
{{- end -}}
{{- $_ := include "memcached-operator.milliseconds" (list "resyncInterval" .Values.resyncInterval) -}}
{{- if lt (include "memcached-operator.milliseconds" (list "retryMaxBackoff" .Values.retryMaxBackoff) | int64) 1000 -}}
{{- fail (printf "retryMaxBackoff is %s, which is shorter than the first wait of 1s; set it to that or more" .Values.retryMaxBackoff) -}}
{{- end -}}
{{- $leave := include "memcached-operator.leaveSeconds" . | int64 -}}
{{- $grace := .Values.terminationGracePeriodSeconds -}}
{{- if and (not (kindIs "invalid" $grace)) (lt (int64 $grace) $leave) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, but a replica may take %d s to drain and release its Leases, and one that is killed leaves them to expire; leave it out, raise it, or lower drainTimeout (%s)" (int64 $grace) $leave .Values.drainTimeout) -}}
{{- end -}}
{{- if and (include "memcached-operator.stateDir" .) (eq (include "memcached-operator.recordsDir" .) (include "memcached-operator.stateDir" .)) -}}
{{- fail (printf "reconcileRecords is in %s, where the state of leaderElection.restartInPlace is; use another directory" (include "memcached-operator.stateDir" .)) -}}
{{- end -}}
{{- if not (regexMatch "^(off|stdout|stderr|/[^/]+(/[^/]+)+)$" .Values.reconcileRecords) -}}
{{- fail (printf "reconcileRecords is %q; use \"off\", stdout, stderr, or a file in a directory of its own such as /records/reconcile.jsonl" .Values.reconcileRecords) -}}
{{- end -}}
{{- end -}}

{{/* What the operator, or the API server with the Pod, would refuse. */}}
{{- define "memcached-operator.validateProcess" -}}
{{- $level := "(?i:off|error|warn|info|debug|trace|[0-5])" -}}
{{- $directive := printf "(%s|[-_:.A-Za-z0-9]*([[][^]]*[]])?=%s|[-_:.A-Za-z0-9]*[[][^]]*[]])" $level $level -}}
{{- if not (regexMatch (printf "^%s(,%s)*$" $directive $directive) .Values.logLevel) -}}
{{- fail (printf "logLevel is %q, which is no level; use off, error, warn, info, debug or trace, or directives such as info,kube=debug" .Values.logLevel) -}}
{{- end -}}
{{- $byte := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" -}}
{{- if not (regexMatch (printf "^(%s([.]%s){3}|[[][0-9A-Fa-f:]*:[0-9A-Fa-f:]*([.0-9]*)[]])$" $byte $byte) .Values.listenAddress) -}}
{{- fail (printf "listenAddress is %q, which is no IP address; write it like 0.0.0.0, or in brackets like \"[::]\" for IPv6" .Values.listenAddress) -}}
{{- end -}}
{{- range $what := list "requests" "limits" -}}
{{- range $name, $quantity := get $.Values.resources $what -}}
{{- if not (regexMatch "^(cpu|memory|ephemeral-storage|hugepages-.+|.+/.+)$" $name) -}}
{{- fail (printf "resources.%s has %s, which is no resource of a container; use cpu, memory, ephemeral-storage, hugepages-2Mi, or a name with a domain such as example.com/gpu" $what $name) -}}
{{- end -}}
{{- if not (or (kindIs "invalid" $quantity) (regexMatch "^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$" (toString $quantity))) -}}
{{- fail (printf "resources.%s.%s is %q, which is no quantity; write it like 128Mi of memory, or 500m for half a core" $what $name (toString $quantity)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not (regexMatch "^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$" .Values.serviceMonitor.interval)) -}}
{{- fail (printf "serviceMonitor.interval is %q, which is no duration of Prometheus; write it like 15s or 1m30s" .Values.serviceMonitor.interval) -}}
{{- end -}}
{{- end -}}

{{/* What the chart sets itself: the operator takes each argument once, and server-side apply each environment variable. */}}
{{- define "memcached-operator.validateExtras" -}}
{{- $args := include "memcached-operator.args" . | fromYamlArray -}}
{{- $flags := list "--lease-duration" "--renew-deadline" "--retry-period" "--state-dir" "--shards" "--shards-config-map" "--shard-key-label" "--watch-namespaces" -}}
{{- range slice $args 0 (sub (len $args) (len .Values.extraArgs) | int) -}}
{{- $flags = append $flags (splitList "=" . | first) -}}
{{- end -}}
{{- range .Values.extraArgs -}}
{{- if not (regexMatch "^--[a-z][-a-z0-9]*(=|$)" .) -}}
{{- fail (printf "extraArgs has %q, which is no flag; write each flag with its value as one item, such as --name=value" .) -}}
{{- end -}}
{{- $flag := splitList "=" . | first -}}
{{- if has $flag $flags -}}
{{- fail (printf "extraArgs has %s, which the chart sets and the operator takes once; leave it out, and set the value that it is made from" $flag) -}}
{{- end -}}
{{- end -}}
{{- $names := list -}}
{{- range .Values.extraEnv -}}
{{- if has .name $names -}}
{{- fail (printf "extraEnv has %s twice, and one of the two would be lost; leave one out" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- if has .name (list "POD_NAME" "POD_NAMESPACE" "POD_UID") -}}
{{- fail (printf "extraEnv has %s, which the chart sets to what the Pod is; leave it out" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "memcached-operator.validateObjects" -}}
{{- $selector := include "memcached-operator.selectorLabels" . | fromYaml -}}
{{- range $what := list "commonLabels" "podLabels" -}}
{{- range $key, $value := get $.Values $what -}}
{{- if and (hasKey $selector $key) (ne (get $selector $key) $value) -}}
{{- fail (printf "%s sets %s, by which the Deployment finds its Pods; leave that key out" $what $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.metrics.enabled (regexMatch "^[0-9]" (include "memcached-operator.fullname" .)) -}}
{{- fail (printf "the name %s begins with a digit, as no Service's may; set fullnameOverride, or switch metrics.enabled off" (include "memcached-operator.fullname" .)) -}}
{{- end -}}
{{- if and .Values.metrics.enabled (eq (int .Values.metrics.port) (int .Values.health.port)) -}}
{{- fail (printf "metrics.port and health.port are both %d; give each a port of its own" (int .Values.health.port)) -}}
{{- end -}}
{{- range $what := list "serviceMonitor" "prometheusRule" "dashboard" -}}
{{- if and (get $.Values $what).enabled (not $.Values.metrics.enabled) -}}
{{- fail (printf "%s.enabled needs the metrics, and metrics.enabled is off; switch one of them" $what) -}}
{{- end -}}
{{- end -}}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) -}}
{{- fail "serviceAccount.create is off and serviceAccount.name is empty; name the ServiceAccount that the replicas are to use" -}}
{{- end -}}
{{- end -}}
