{{/* Name of the chart. */}}
{{- define "dra-example-driver.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of all objects: the release, unless that repeats the chart's name. */}}
{{- define "dra-example-driver.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains (include "dra-example-driver.name" .) .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "dra-example-driver.name" .) | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "dra-example-driver.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "dra-example-driver.driverName" -}}
{{- default (printf "%s.example.com" .Values.deviceProfile) .Values.driverName -}}
{{- end -}}

{{- define "dra-example-driver.serviceAccountName" -}}
{{- default (include "dra-example-driver.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* Labels that select the pods of a component: (list $ "kubeletplugin"). They may never change. */}}
{{- define "dra-example-driver.selectorLabels" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.selectorLabelsOverride -}}
{{ toYaml $root.Values.selectorLabelsOverride }}
{{- else -}}
app.kubernetes.io/name: {{ include "dra-example-driver.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- end }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "dra-example-driver.labels" -}}
app.kubernetes.io/name: {{ include "dra-example-driver.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* Newest version of resource.k8s.io; without a cluster that of the Kubernetes that is named. */}}
{{- define "dra-example-driver.resourceVersion" -}}
{{- $found := "" -}}
{{- range list "v1beta1" "v1beta2" "v1" -}}
{{- if $.Capabilities.APIVersions.Has (printf "resource.k8s.io/%s/DeviceClass" .) -}}
{{- $found = . -}}
{{- end -}}
{{- end -}}
{{- if $found -}}
{{- $found -}}
{{- else if semverCompare ">=1.34.0-0" .Capabilities.KubeVersion.Version -}}
v1
{{- else -}}
v1beta1
{{- end -}}
{{- end -}}

{{/* A role and its binding to an account, by the name of both, the rules and the account. */}}
{{- define "dra-example-driver.role" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .name }}
  labels:
    {{- include "dra-example-driver.labels" .root | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "dra-example-driver.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .account }}
    namespace: {{ include "dra-example-driver.namespace" .root }}
{{- end -}}

{{- define "dra-example-driver.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{- define "dra-example-driver.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "dra-example-driver.probes" -}}
livenessProbe:
  httpGet:
    path: /healthz
    port: http
  periodSeconds: 10
readinessProbe:
  httpGet:
    path: /readyz
    port: http
  periodSeconds: 5
{{- end -}}
