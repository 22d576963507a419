{{/* Name of the chart. */}}
{{- define "fake-dra-driver.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Start of the names of all objects: the release, unless that repeats the chart's name. */}}
{{- define "fake-dra-driver.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains (include "fake-dra-driver.name" .) .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "fake-dra-driver.name" .) | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Namespace of the driver, which is that of the NodeAllocationStates. */}}
{{- define "fake-dra-driver.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Labels that select the pods of a component: (list $ "controller"). They may never change. */}}
{{- define "fake-dra-driver.selectorLabels" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.selectorLabelsOverride -}}
{{ toYaml $root.Values.selectorLabelsOverride }}
{{- else -}}
app.kubernetes.io/name: {{ include "fake-dra-driver.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- end }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of the objects of a component: (list $ "controller"). */}}
{{- define "fake-dra-driver.componentLabels" -}}
{{- $root := index . 0 -}}
{{ include "fake-dra-driver.selectorLabels" . }}
{{ include "fake-dra-driver.releaseLabels" $root }}
{{- end -}}

{{/* Labels of the objects that belong to no component. */}}
{{- define "fake-dra-driver.labels" -}}
app.kubernetes.io/name: {{ include "fake-dra-driver.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{ include "fake-dra-driver.releaseLabels" . }}
{{- end -}}

{{- define "fake-dra-driver.releaseLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: fake-dra-driver
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* Name of the service account of a component: (list $ "controller"). */}}
{{- define "fake-dra-driver.serviceAccountName" -}}
{{- $root := index . 0 -}}
{{- printf "%s-%s" (default (include "fake-dra-driver.fullname" $root) $root.Values.serviceAccount.name) (index . 1) -}}
{{- end -}}

{{/*
Kind of the claims for the notes, which are of the moment of an installation. No object depends on it:
the programs find out by themselves, also after an upgrade of the cluster.
*/}}
{{- define "fake-dra-driver.kind" -}}
{{- if ne .Values.kind "auto" -}}
{{- .Values.kind -}}
{{- else -}}
{{- semverCompare ">=1.32.0-0" .Capabilities.KubeVersion.Version | ternary "structured" "classic" -}}
{{- end -}}
{{- end -}}

{{/* The image, by digest if there is one. */}}
{{- define "fake-dra-driver.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Components that run as long as the driver is installed, as a JSON array. */}}
{{- define "fake-dra-driver.components" -}}
{{- $optional := list (.Values.webhook.enabled | ternary "webhook" "") (.Values.ui.enabled | ternary "ui" "") -}}
{{- concat (list "controller" "kubeletplugin") (compact $optional) | toJson -}}
{{- end -}}

{{/* Environment of the programs that work for the driver's claims. */}}
{{- define "fake-dra-driver.commonEnv" -}}
{{ include "fake-dra-driver.servingEnv" . }}
- name: KIND
  value: {{ .Values.kind | quote }}
- name: COMMUNICATION
  value: {{ .Values.communication | quote }}
- name: NORMAL_EVENTS
  value: {{ .Values.events.normal | quote }}
{{- end -}}

{{/* Environment that all programs share. */}}
{{- define "fake-dra-driver.servingEnv" -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: DRIVER_NAME
  value: {{ .Values.driverName | quote }}
- name: KUBE_API_QPS
  value: {{ .Values.kubeApi.qps | quote }}
- name: KUBE_API_BURST
  value: {{ int .Values.kubeApi.burst | quote }}
- name: HTTP_ENDPOINT
  value: {{ printf ":%d" (int .Values.http.port) | quote }}
- name: METRICS_PATH
  value: {{ .Values.metrics.path | quote }}
{{- with .Values.http.pprofPath }}
- name: PPROF_PATH
  value: {{ . | quote }}
{{- end }}
- name: LOGGING_FORMAT
  value: {{ .Values.logging.format | quote }}
- name: V
  value: {{ int .Values.logging.verbosity | quote }}
{{- end -}}

{{/* Flags of a component: its values. */}}
{{- define "fake-dra-driver.args" -}}
{{- with concat .args .extraArgs }}
args:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Probes of a component: its values. */}}
{{- define "fake-dra-driver.probes" -}}
{{- range $probe, $path := dict "startup" "/healthz" "liveness" "/healthz" "readiness" "/readyz" }}
{{- with get $.probes $probe }}
{{ $probe }}Probe:
  httpGet:
    path: {{ $path }}
    port: http
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* An update strategy; what is merged from the defaults has no place in the other types. */}}
{{- define "fake-dra-driver.strategy" -}}
type: {{ .type }}
{{- if eq .type "RollingUpdate" }}
{{- with .rollingUpdate }}
rollingUpdate:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where the pods of a component may run: its values. */}}
{{- define "fake-dra-driver.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Where the replicas of a Deployment may run: (list $ "controller" its-values). Several prefer a node of
their own each, unless the values have a podAntiAffinity.
*/}}
{{- define "fake-dra-driver.placementApart" -}}
{{- $values := index . 2 -}}
{{- $affinity := default dict $values.affinity -}}
{{- if and (gt (int $values.replicas) 1) (not (hasKey $affinity "podAntiAffinity")) -}}
{{- $affinity = merge dict $affinity (include "fake-dra-driver.apart" . | fromYaml) -}}
{{- end -}}
{{- include "fake-dra-driver.placement" (merge (dict "affinity" $affinity) $values) -}}
{{- end -}}

{{- define "fake-dra-driver.apart" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "fake-dra-driver.selectorLabels" . | nindent 12 }}
{{- end -}}

{{/* The beginning of the pods of a component: (list $ "controller" its-values). */}}
{{- define "fake-dra-driver.pod" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
serviceAccountName: {{ include "fake-dra-driver.serviceAccountName" . }}
# A webhook whose certificate comes from cert-manager has nothing to ask the API server.
automountServiceAccountToken: {{ not (and (eq (index . 1) "webhook") $root.Values.webhook.certManager.enabled) }}
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Annotations of what both uninstall hooks need, made before them: its weight. */}}
{{- define "fake-dra-driver.uninstallHook" -}}
helm.sh/hook: pre-delete,post-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* Selector of the pods of kubelet plugin and controller, as a list request takes it. */}}
{{- define "fake-dra-driver.pluginSelector" -}}
{{- $pairs := list -}}
{{- range $key, $value := omit (include "fake-dra-driver.selectorLabels" (list . "") | fromYaml) "app.kubernetes.io/component" -}}
{{- $pairs = append $pairs (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- append $pairs "app.kubernetes.io/component in (controller,kubeletplugin)" | join "," -}}
{{- end -}}
