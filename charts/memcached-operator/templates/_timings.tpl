{{/*
The presets, as LeaseDuration/RenewDeadline/RetryPeriod. The operator has them too (`--preset`); `cargo xtask chart` compares.
*/}}
{{- define "memcached-operator.presets" -}}
standard: 15s/10s/2s
fast: 5s/3s/1s
lazy: 60s/40s/10s
{{- end -}}

{{/* A duration in milliseconds, rounded up. Arguments: the value's name, the duration as Go writes it. */}}
{{- define "memcached-operator.milliseconds" -}}
{{- $name := index . 0 -}}
{{- $text := index . 1 -}}
{{- if not (regexMatch "^(0|([0-9]+([.][0-9]+)?(h|ms|m|s))+)$" $text) -}}
{{- fail (printf "%s is %q, which is no duration; write it with units, such as 15s, 1m30s or 500ms" $name $text) -}}
{{- end -}}
{{- $perUnit := dict "h" 3600000 "m" 60000 "s" 1000 "ms" 1 -}}
{{- $total := 0.0 -}}
{{- range regexFindAll "[0-9.]+(h|ms|m|s)" $text -1 -}}
{{- $total = addf $total (mulf (regexFind "[0-9.]+" .) (get $perUnit (regexFind "[a-z]+" .))) -}}
{{- end -}}
{{- ceil $total | int64 -}}
{{- end -}}

{{/* The timings in force, in milliseconds, as YAML: what is set, else the preset's. */}}
{{- define "memcached-operator.timings" -}}
{{- with .Values.leaderElection -}}
{{- $preset := get (include "memcached-operator.presets" $ | fromYaml) .preset | splitList "/" -}}
{{- $lease := default (index $preset 0) .leaseDuration -}}
{{- $renew := default (index $preset 1) .renewDeadline -}}
{{- $retry := default (index $preset 2) .retryPeriod -}}
lease: {{ include "memcached-operator.milliseconds" (list "leaderElection.leaseDuration" $lease) }}
renew: {{ include "memcached-operator.milliseconds" (list "leaderElection.renewDeadline" $renew) }}
retry: {{ include "memcached-operator.milliseconds" (list "leaderElection.retryPeriod" $retry) }}
{{- end -}}
{{- end -}}

{{/*
How long a replica may take to end, in seconds: drainTimeout for its work and one request timeout, (RenewDeadline - RetryPeriod) / 3, for
the release of its Leases, as `memcached-operator shutdown-limit` prints it (`cargo xtask chart` compares); and 5 s for the process
itself to come and go.
*/}}
{{- define "memcached-operator.leaveSeconds" -}}
{{- $total := include "memcached-operator.milliseconds" (list "drainTimeout" .Values.drainTimeout) | int64 -}}
{{- if .Values.leaderElection.enabled -}}
{{- $timings := include "memcached-operator.timings" . | fromYaml -}}
{{- $total = addf $total (divf (sub $timings.renew $timings.retry) 3) -}}
{{- end -}}
{{- divf (addf $total 5000) 1000 | ceil | int64 -}}
{{- end -}}
