{{/* The name that all objects of a release begin with. */}}
{{- define "stashd.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The operator's pods, and not those that check the installation. */}}
{{- define "stashd.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "stashd.labels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "stashd.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "stashd.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: needed without serviceAccount.create" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* stashd.imageOf (dict "image" VALUES "tag" TAG): registry/repository:tag, or @digest */}}
{{- define "stashd.imageOf" -}}
{{- with .image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}

{{- define "stashd.image" -}}
{{- include "stashd.imageOf" (dict "image" .Values.image "tag" (default .Chart.AppVersion .Values.image.tag)) -}}
{{- end -}}

{{/* Where Jobs push their metrics: nowhere, to the operator's Service, or to a gateway of the user's. */}}
{{- define "stashd.pushURL" -}}
{{- if and .Values.metrics.enabled (eq .Values.metrics.pushgateway.mode "embedded") -}}
http://{{ include "stashd.fullname" . }}.{{ .Release.Namespace }}.svc:8080
{{- else if eq .Values.metrics.pushgateway.mode "external" -}}
{{- required "metrics.pushgateway.url: needed with mode external" .Values.metrics.pushgateway.url -}}
{{- end -}}
{{- end -}}

{{/*
stashd.manifest (dict "root" $ "file" FILE): the plain manifests of a file under the names of this release: "stashd",
alone or before a dash, becomes the full name, the namespace "stash" that of the release.
*/}}
{{- define "stashd.manifest" -}}
{{- $root := .root -}}
{{- $full := include "stashd.fullname" $root -}}
{{- range splitList "\n---\n" (.root.Files.Get .file) }}
{{- $o := fromYaml . }}
{{- with $o.Error }}{{ fail (printf "%s: %s" $.file .) }}{{ end }}
{{- $_ := set $o.metadata "name" (regexReplaceAll "^stashd(-|$)" $o.metadata.name (printf "%s$1" $full)) }}
{{- $_ := set $o.metadata "labels" (merge (include "stashd.labels" $root | fromYaml) $o.metadata.labels) }}
{{- if eq (default "" $o.metadata.namespace) "stash" }}
{{- $_ := set $o.metadata "namespace" $root.Release.Namespace }}
{{- end }}
{{- with $o.roleRef }}
{{- $_ := set . "name" (regexReplaceAll "^stashd(-|$)" .name (printf "%s$1" $full)) }}
{{- end }}
{{- range $o.subjects }}
{{- if eq .kind "ServiceAccount" }}
{{- $_ := set . "name" (include "stashd.account" $root) }}
{{- $_ := set . "namespace" $root.Release.Namespace }}
{{- end }}
{{- end }}
{{- range $o.rules }}
{{- if .resourceNames }}
{{- $names := list }}
{{- range .resourceNames }}{{ $names = append $names (regexReplaceAll "^stashd(-|$)" . (printf "%s$1" $full)) }}{{ end }}
{{- $_ := set . "resourceNames" $names }}
{{- end }}
{{- end }}
---
{{ toYaml $o }}
{{- end }}
{{- end -}}

{{/* The flags of the operator: one line a value that has one. */}}
{{- define "stashd.args" -}}
- --fullname={{ include "stashd.fullname" . }}
- --image={{ include "stashd.image" . }}
- --image-pull-policy={{ .Values.image.pullPolicy }}
- --log-level={{ .Values.log.level }}
- --log-format={{ .Values.log.format }}
{{- with .Values.clusterID }}
- --cluster-id={{ . }}
{{- end }}
- --concurrency={{ .Values.concurrency }}
- --kube-api-qps={{ .Values.kubeApi.qps }}
- --kube-api-burst={{ .Values.kubeApi.burst }}
- --trigger={{ .Values.trigger }}
- --secrets-access={{ .Values.secrets.access }}
{{- range .Values.secrets.lendingNamespaces }}
- --secrets-lending-namespaces={{ . }}
{{- end }}
{{- with .Values.watchNamespace }}
- --watch-namespaces={{ . }}
{{- end }}
- --allow-hostpath-backend={{ .Values.security.allowHostPathBackend }}
- --jobs-ttl-after-finished={{ .Values.jobs.ttlAfterFinished }}
- --jobs-default-timeout={{ .Values.jobs.defaultTimeout }}
- --jobs-pod-start-timeout={{ .Values.jobs.podStartTimeout }}
- --jobs-prune-delay={{ .Values.jobs.pruneDelay }}
- --jobs-check-interval={{ .Values.jobs.checkInterval }}
- --metrics={{ .Values.metrics.enabled }}
- --pushgateway-mode={{ .Values.metrics.pushgateway.mode }}
{{- with include "stashd.pushURL" . }}
- --pushgateway-url={{ . }}
{{- end }}
- --push-auth={{ .Values.metrics.pushgateway.auth }}
- --webhook={{ .Values.webhooks.validating.enabled }}
{{- if .Values.webhooks.validating.enabled }}
- --webhook-tls={{ .Values.tls.mode }}
{{- if eq .Values.tls.mode "provided" }}
- --webhook-cert-dir=/etc/stashd/tls
{{- else }}
- --webhook-configurations={{ include "stashd.fullname" . }}
- --webhook-cert-lifetime={{ .Values.tls.lifetime }}
{{- end }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Whether the kind AppBinding is this release's: also of others' charts, so only if it is ours or nobody's. */}}
{{- define "stashd.hasAppBindings" -}}
{{- if and .Values.crds.install (eq (toString .Values.crds.appBinding) "auto") -}}
{{- $there := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "appbindings.appcatalog.appscode.com" -}}
{{- $notes := default dict (default dict $there.metadata).annotations -}}
{{- if or (not $there) (eq (get $notes "meta.helm.sh/release-name") .Release.Name) -}}yes{{- end -}}
{{- else if and .Values.crds.install .Values.crds.appBinding -}}yes{{- end -}}
{{- end -}}

{{/* stashd.hook (list EVENT WEIGHT): annotations of what is there only while Helm waits for it. */}}
{{- define "stashd.hook" -}}
helm.sh/hook: {{ index . 0 }}
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* stashd.checkPod (dict "root" $ "account" NAME "flag" FLAG): spec of a pod that looks at the installation and ends. */}}
{{- define "stashd.checkPod" -}}
restartPolicy: Never
serviceAccountName: {{ .account }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
containers:
- name: check
  image: {{ include "stashd.image" .root | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [stash-job, check-installation, {{ .flag }}]
  env:
  - name: POD_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  securityContext: {{- toYaml .root.Values.securityContext | nindent 4 }}
  resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 128Mi}}
{{- end -}}
