{{- define "shoal.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "shoal.selector" -}}
app.kubernetes.io/name: shoal
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "shoal.labels" -}}
{{ include "shoal.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "shoal.scheme" -}}
{{ ternary "https" "http" (ne .Values.tls.secretName "") }}
{{- end }}

{{/* The StatefulSets: one for each zone, or one without a zone. A JSON list of name and zone. */}}
{{- define "shoal.sets" -}}
{{- $name := include "shoal.name" . -}}
{{- $sets := list -}}
{{- range .Values.zones -}}
{{- $sets = append $sets (dict "name" (printf "%s-%s" $name .) "zone" .) -}}
{{- end -}}
{{- if not $sets -}}
{{- $sets = list (dict "name" $name "zone" "") -}}
{{- end -}}
{{- $sets | toJson -}}
{{- end }}

{{/* Every member of the cluster, alike on every node: the name of its pod is its id. */}}
{{- define "shoal.members" -}}
{{- $domain := printf "%s-peers.%s.svc" (include "shoal.name" .) .Release.Namespace -}}
{{- $scheme := include "shoal.scheme" . -}}
{{- $members := list -}}
{{- range $set := include "shoal.sets" . | fromJsonArray -}}
{{- range $index := until (int $.Values.nodes) -}}
{{- $id := printf "%s-%d" $set.name $index -}}
{{- $zone := ternary (printf ";zone=%s" $set.zone) "" (ne $set.zone "") -}}
{{- $members = append $members (printf "%s=%s://%s.%s:4100%s" $id $scheme $id $domain $zone) -}}
{{- end -}}
{{- end -}}
{{- join "," $members -}}
{{- end }}
