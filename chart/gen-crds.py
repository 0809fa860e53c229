#!/usr/bin/env python3
"""Writes templates/crds/*.yaml; with --check only says which of them are out of date."""
import sys

from output import settle
from schema import (actions, anything, array, boolean, checked, claim_template, container_security, duration,
                    enum, env, env_from, http_target, int32, int64, keyed, label_selector,
                    lifecycle, local_ref, mapping, node, obj, pod_security, probe, quantity,
                    resources, string, strings, time, volume_mounts, volume_sources)

STASH, CATALOG = "stash.appscode.com", "appcatalog.appscode.com"


# --- parts that several kinds share -------------------------------------------------------------

def conditions():
    return array("What is known about the object, one entry a type.", obj("One fact.", {
        "lastTransitionTime!": time("When the entry last changed."),
        "message": string("Explanation for people."),
        "observedGeneration": int64("Generation that the entry is about."),
        "reason": string("Cause of the status, one word."),
        "severity": string("Kept for compatibility; never set."),
        "status!": enum("Whether it holds.", "True", "False", "Unknown"),
        "type!": string("Name of the fact.")}))


def target_ref(text):
    return obj(text, {
        "apiVersion": string("API version of the object."),
        "kind": string("Kind of the object."),
        "name": string("Name of the object."),
        "namespace": string("Namespace of the object; that of the invoker if left out.")})


def params():
    return array("Inputs for the Functions.", obj("One input.", {
        "name!": string("Name of the input."), "value!": string("Its value.")}))


def task_ref(text):
    return obj(text, {"name": string("Name of the Task."), "params": params()})


def repository_ref():
    return obj("Repository with the stored data.", {
        "name!": string("Name of the Repository."),
        "namespace": string("Namespace of the Repository; the own one if left out.")})


def driver():
    return enum("What moves the data: restic, or snapshots of volumes.",
                "Restic", "VolumeSnapshotter", default="Restic")


def temp_dir():
    return obj("Scratch space of the Job's pods.", {
        "disableCaching": boolean("Work without restic's cache, which lives there."),
        "medium": string("Memory for a file system in memory."),
        "sizeLimit": quantity("The most it may hold.")}, default={})


def container_settings(text):
    return obj(text, {
        "env": env(),
        "envFrom": env_from(),
        "ionice": obj("Priority of the program's disk access.", {
            "class": int32("Class: 1 real time, 2 best effort, 3 idle."),
            "classData": int32("Level within the class, 0 (first) to 7.")}),
        "lifecycle": lifecycle(),
        "livenessProbe": probe("Whether the container is alive."),
        "nice": obj("Priority of the program on the processor.", {
            "adjustment": int32("Nice value, -20 (first) to 19.")}),
        "readinessProbe": probe("Whether the container is ready."),
        "resources": resources("Processor and memory of the container."),
        "securityContext": container_security("Rights of the container's processes.")})


def runtime_settings(text):
    pod = obj("Settings of the pods.", {
        "affinity": anything("Rules for the choice of a node."),
        "automountServiceAccountToken": boolean("Accepted; has no effect, tokens are projected."),
        "enableServiceLinks": boolean("Whether Services become environment variables."),
        "imagePullSecrets": array("Secrets for pulling images.", local_ref("One Secret.")),
        "nodeName": string("Node that the pods must run on."),
        "nodeSelector": mapping("Labels that the node must have."),
        "podAnnotations": mapping("Annotations of the pods."),
        "podLabels": mapping("Labels of the pods; reserved keys are refused."),
        "priority": int32("Priority of the pods."),
        "priorityClassName": string("PriorityClass of the pods."),
        "readinessGates": array("More conditions for readiness.", obj("One condition.", {
            "conditionType!": string("Type of a condition of the pod.")})),
        "runtimeClassName": string("RuntimeClass of the pods."),
        "schedulerName": string("Scheduler of the pods."),
        "securityContext": pod_security("Rights of all processes of the pods."),
        "serviceAccountAnnotations": mapping("Annotations of the ServiceAccount that is made."),
        "serviceAccountName": string("Existing ServiceAccount to use."),
        "tolerations": array("Taints that the pods tolerate.", obj("One toleration.", {
            "effect": string("Effect of the taint; any if left out."),
            "key": string("Key of the taint; any if left out."),
            "operator": string("Exists or Equal."),
            "tolerationSeconds": int64("Seconds until the pod has to leave."),
            "value": string("Value of the taint.")})),
        "topologySpreadConstraints": keyed("How pods spread over the cluster.", obj("One rule.", {
            "labelSelector": label_selector("Pods that are counted."),
            "matchLabelKeys": strings("Labels of the pod that join the selector."),
            "maxSkew!": int32("Largest difference between two places."),
            "minDomains": int32("Least number of places."),
            "nodeAffinityPolicy": string("Whether affinity counts: Honor or Ignore."),
            "nodeTaintsPolicy": string("Whether taints count: Honor or Ignore."),
            "topologyKey!": string("Label of nodes whose values are the places."),
            "whenUnsatisfiable!": string("DoNotSchedule or ScheduleAnyway.")}),
            "topologyKey", "whenUnsatisfiable")})
    return obj(text, {"container": container_settings("Settings of each container."),
                      "pod": pod}, default={})


def retention():
    def keep(what):
        return int64(f"{what} to keep; none by this rule if 0 or left out.")
    numbers = ["keepLast", "keepHourly", "keepDaily", "keepWeekly", "keepMonthly", "keepYearly"]
    kept = [f"(has(self.{name}) && self.{name} > 0)" for name in numbers]
    return checked(obj("Which snapshots stay.", {
        "dryRun": boolean("Only report what would be removed."),
        "keepDaily": keep("Days whose last snapshot is"),
        "keepHourly": keep("Hours whose last snapshot is"),
        "keepLast": keep("Number of the newest snapshots"),
        "keepMonthly": keep("Months whose last snapshot is"),
        "keepTags": strings("Keep all snapshots with one of these tags."),
        "keepWeekly": keep("Weeks whose last snapshot is"),
        "keepYearly": keep("Years whose last snapshot is"),
        "name!": string("A name for people; nothing depends on it."),
        "prune!": boolean("Also delete data that no snapshot refers to any more.")}),
        (" || ".join(kept + ["(has(self.keepTags) && size(self.keepTags) > 0)"]),
         "keeps nothing: set keepLast or another keep value"))


def handler():
    post = http_target()
    post["body"] = string("Body of the request; templates are expanded.")
    post["form"] = array("Form fields, sent URL-encoded instead of the body.", obj("A field.", {
        "key!": string("Name of the field."), "values": strings("Its values.")}))
    return {
        **actions(),
        "caBundle": node("string", "PEM certificates for checking HTTPS servers, in base64.",
                         format="byte"),
        "caSecret": obj("Secret that holds such certificates.", {
            "key": string("Key in the Secret; ca.crt if left out."),
            "name!": string("Name of the Secret.")}),
        "containerName": string("Container of the command and of port names."),
        "httpPost": obj("Sends a POST request.", post),
        "insecureSkipVerify": boolean("Accept any certificate of an HTTPS server."),
        "retries": int32("How often a failed action is tried again; 0 if left out.", minimum=0),
        "retryDelay": duration("Time between two tries."),
        "timeoutSeconds": int32("Seconds for one try; 300 if left out.", minimum=1)}


def hooks(what, text):
    """what: Backup or Restore."""
    policies = ["Always", "OnFailure", "OnSuccess"]
    if what == "Backup":
        policies.append("OnFinalRetryFailure")
    return obj(text, {
        f"post{what}": obj(f"Action after the {what.lower()}.", {
            **handler(),
            "executionPolicy": enum("On which result it runs.", *policies, default="Always")}),
        f"pre{what}": obj(f"Action before the {what.lower()}.", handler())})


def retry():
    return obj("New sessions after a failed one.", {
        "delay": duration("Time until the next try; at once if left out."),
        "maxRetry": int32("How many sessions may follow.", minimum=0, default=1)})


def time_out(what):
    return checked(duration(f"Longest time for {what}, from its creation."),
                   (r"!self.matches('^(0|(0+([.]0*)?(ns|us|ms|s|m|h))+)$')", "must be more than 0s"))


STORAGES = ["local", "s3", "gcs", "azure", "swift", "b2", "rest"]


def climbs(message):
    return (r"!self.matches('(^|/)[.][.](/|$)')", message)


def backend():
    bucket = string("Name of the bucket.")
    prefix = checked(string("Folder in the bucket."), climbs("has a \"..\" element"))
    connections = int64("Connections at once; restic's own number if 0.")
    container = string("Name of the container.")
    return obj("Where the snapshots are; exactly one kind of storage.", {
        "azure": obj("Azure Blob Storage.", {
            "container!": container, "maxConnections": connections, "prefix": prefix}),
        "b2": obj("Backblaze B2.", {
            "bucket!": bucket, "maxConnections": connections, "prefix": prefix}),
        "gcs": obj("Google Cloud Storage.", {
            "bucket!": bucket, "maxConnections": connections, "prefix": prefix}),
        "local": obj("A volume of the cluster; its source is named at this level.", {
            **volume_sources(),
            "mountPath!": checked(
                string("Where the volume is mounted, not below /stash."),
                ("!self.matches('^/*stash(/|$)')",
                 "/stash is the program's own, take another path such as /repository")),
            "subPath": checked(string("Folder of the volume."), climbs("has a \"..\" element"))}),
        "rest": obj("A REST server of restic.", {"url": string("URL, without credentials.")}),
        "s3": obj("Amazon S3 or a service that speaks its protocol.", {
            "bucket!": bucket,
            "endpoint!": string("Host or URL of the service; empty for AWS."),
            "insecureTLS": boolean("Accept any certificate of the service."),
            "prefix": prefix, "region": string("Region of the bucket.")}),
        "storageSecretName": string("Secret with RESTIC_PASSWORD and the credentials."),
        "swift": obj("OpenStack Swift.", {"container!": container, "prefix": prefix})},
        default={})


def usage_policy():
    return obj("Who may refer to the Repository; only the own namespace if left out.", {
        "allowedNamespaces": checked(obj("Namespaces that may.", {
            "from": enum("All, the own one, or those with certain labels.",
                         "All", "Same", "Selector", default="Same"),
            "selector": label_selector("Labels of the namespaces, with Selector.")}),
            ("self.from != 'Selector' || has(self.selector)", "selector is missing: from Selector needs one"))})


WIPING = [
    (f"!self.wipeOut || !has(self.backend.{storage})",
     f"wiping out is not supported for {name} backends", ".wipeOut")
    for storage, name in (("local", "local"), ("b2", "B2"))]
ONE_STORAGE = (f"[{', '.join(f'has(self.backend.{name})' for name in STORAGES)}].exists_one(is_set, is_set)",
               "one storage is wanted in spec.backend: " + ", ".join(STORAGES), ".backend")


def repository_spec():
    return {
        "backend": backend(),
        "usagePolicy": usage_policy(),
        "wipeOut": boolean("Delete the stored data together with the Repository.", default=False)}


def paths_and_mounts(mounts):
    return {
        "alias": string("Name of the target in the Repository; host-0 if left out."),
        "args": strings("More arguments of the driver."),
        "ref": target_ref("The object."),
        "replicas": int32("Number of copies."),
        "volumeMounts": volume_mounts(mounts)}


def backup_target():
    return obj("What to back up.", {
        **paths_and_mounts("Mounts that hold the data."),
        "exclude": strings("Patterns of files to leave out."),
        "paths": strings("Paths to back up."),
        "snapshotClassName": string("VolumeSnapshotClass, for volume snapshots.")})


def rules(text):
    return checked(array(text, checked(obj("What is restored for some hosts.", {
        "exclude": strings("Patterns of files to leave out."),
        "include": strings("Patterns of the only files to restore."),
        "paths": strings("Paths to restore; not together with snapshots."),
        "snapshots": strings("Ids of snapshots, or latest."),
        "sourceHost": string("Host whose data is taken; the host itself if left out."),
        "targetHosts": strings("Hosts of the rule; those of no other rule if empty.")}),
        ("!has(self.snapshots) || size(self.snapshots) == 0 || !has(self.paths) || size(self.paths) == 0",
         "has both snapshots and paths: a snapshot holds one directory")), maxItems=1000),
        ("self.filter(rule, !has(rule.targetHosts) || size(rule.targetHosts) == 0).size() <= 1",
         "two rules have no targetHosts; at most one may"))


def restore_target():
    several = "has(self.replicas) && self.replicas > 1 && has(self.volumeClaimTemplates)"
    return checked(obj("Where to restore to.", {
        **paths_and_mounts("Where the volumes are mounted; names without the ordinal."),
        "rules": rules("What is restored for which host."),
        "volumeClaimTemplates": array("Claims to make, one set a replica.",
                                      claim_template("One claim."), maxItems=32)}),
        (f"!({several}) || self.volumeClaimTemplates.all(claim, has(claim.metadata) && has(claim.metadata.name) && "
         "claim.metadata.name.contains('${POD_ORDINAL}'))",
         "a name is the same for all replicas: end it with -${POD_ORDINAL}", ".volumeClaimTemplates"),
        ("!has(self.volumeClaimTemplates) || size(self.volumeClaimTemplates) == 0 || !has(self.replicas) || "
         "self.replicas > 0", "must be 1 or more, one a set of claims", ".replicas"),
        ("!has(self.volumeClaimTemplates) || size(self.volumeClaimTemplates) == 0 || "
         "(has(self.volumeMounts) && size(self.volumeMounts) > 0)",
         "volumeMounts is missing: the claims would not be mounted"))


def job_parts(target, the_hooks):
    return {
        "hooks": the_hooks,
        "interimVolumeTemplate": claim_template("Claim for data on their way."),
        "runtimeSettings": runtime_settings("Settings of the Job's pods."),
        "target": target,
        "task": task_ref("Task that does the work."),
        "tempDir": temp_dir()}


def schedule_parts():
    return {
        "backupHistoryLimit": int32("Finished sessions to keep; 1 if left out.", minimum=0),
        "retentionPolicy!": retention(),
        "retryConfig": retry(),
        "schedule": string("Cron expression of five fields, or @hourly and the like; "
                           "only manual sessions if empty."),
        "timeOut": time_out("a session")}


def backup_common():
    return {**schedule_parts(), "driver": driver(), "repository": repository_ref(),
            "paused": boolean("Start nothing on schedule.", default=False)}


def restore_common():
    return {"driver": driver(), "repository": repository_ref(), "timeOut": time_out("the restore")}


def order():
    return enum("Whether members run together or one after the other.",
                "Parallel", "Sequential", default="Parallel")


def members(target, the_hooks):
    return array("The targets.", obj("One target.", job_parts(target, the_hooks)), maxItems=100)


def invoker_status(**more):
    return obj("What the operator found.", {
        "conditions": conditions(),
        "observedGeneration": int64("Generation that was last looked at."),
        "phase": enum("Summary of the conditions.", "Invalid", "Ready", "NotReady"), **more})


def queue():
    return obj("Place in the queue; only while waiting.", {
        "estimatedStart": time("When it will probably start."),
        "position": int64("Number in the queue."),
        "reason": string("What it waits for."),
        "waiting": int64("Length of the queue.")})


def session_times(what):
    return {
        "sessionDeadline": time(f"When the {what} is given up."),
        "sessionDuration": string(f"Time the {what} took, such as 1m29s.")}


def restore_stats():
    return array("Results, one entry a host.", obj("Result of a host.", {
        "duration": string("Time it took."), "error": string("What went wrong."),
        "hostname": string("Name of the host."),
        "phase": enum("Result.", "Succeeded", "Failed", "Running", "Unknown")}))


def backup_stats():
    files = obj("Number of files.", {
        "modifiedFiles": int64("Files that changed."), "newFiles": int64("Files not seen before."),
        "totalFiles": int64("All files."), "unmodifiedFiles": int64("Files that did not change.")})
    snapshots = array("Snapshots that were made.", obj("A snapshot.", {
        "fileStats": files,
        "name": string("Id of the snapshot."),
        "path": string("Path that was backed up."),
        "processingSeconds": node("number", "As processingTime, in seconds."),
        "processingTime": string("Time it took."),
        "totalSize": string("Size of the data, for people."),
        "totalSizeBytes": int64("Size of the data in bytes."),
        "uploaded": string("Size of what was new, for people."),
        "uploadedBytes": int64("Size of what was new, in bytes."),
        "uploadedPackedBytes": int64("Bytes that were really sent, packed.")}))
    donor = obj("What a state transfer cost the cluster.", {
        "flowControlMilliseconds": int64("Time of it in which flow control held the cluster back."),
        "flowControlPercent": int64("The same as a share."),
        "name": string("Node that gave its data."),
        "receiveQueueMax": int64("Write sets that waited on another node, at most."),
        "seconds": int64("From its selection until it was Synced again."),
        "streamBytes": int64("Bytes that it sent.")})
    return array("Results, one entry a host.", obj("Result of a host.", {
        "donor": donor,
        "duration": string("Time it took."), "error": string("What went wrong."),
        "hostname": string("Name of the host."),
        "phase": enum("Result.", "Succeeded", "Failed"), "snapshots": snapshots}))


# --- the kinds ------------------------------------------------------------------------------------

def repository():
    return ("A place for snapshots.", checked(obj("What is wanted.", repository_spec()), *WIPING, ONE_STORAGE), obj(
        "What is known about the stored data.", {
            "conditions": conditions(),
            "escrow": string("Credentials for wiping, sealed to the operator."),
            "firstBackupTime": time("Time of the first successful session."),
            "integrity": boolean("Result of the last check."),
            "lastBackupTime": time("Time of the last complete session."),
            "observedGeneration": int64("Generation that was last looked at."),
            "references": array("Invokers that use the Repository.", obj("An invoker.", {
                "apiGroup": string("Its API group."), "kind": string("Its kind."),
                "name!": string("Its name."), "namespace": string("Its namespace.")})),
            "snapshotCount": int64("Number of snapshots."),
            "snapshotsRemovedOnLastCleanup": int64("Snapshots that the last clean-up removed."),
            "totalSize": string("Size of the stored data, such as 304.165 MiB.")}))


def backup_configuration():
    return ("Regular backup of one target.", obj("What is wanted.", {
        **backup_common(),
        **job_parts(backup_target(), hooks("Backup", "Actions around each backup."))}),
        invoker_status())


def backup_session():
    targets = array("State of the targets.", obj("A target.", {
        "conditions": conditions(),
        "phase": enum("State of the target.", "Pending", "Running", "Succeeded", "Failed"),
        "postBackupActions": strings("What the last step does besides."),
        "preBackupActions": strings("What the first step does besides."),
        "progress": obj("How far a running backup is.", {
            "bytes": int64("Bytes received and checked so far."),
            "bytesPerSecond": int64("Rate since the last look."),
            "percent": int32("Of the size of the last backup, where there was one.")}),
        "ref": target_ref("The object."),
        "stats": backup_stats(),
        "totalHosts": int32("Number of hosts that are expected.")}))
    spec = checked(obj("Whose backup it is; can't be changed.", {
        "invoker!": obj("BackupConfiguration or BackupBatch of the same namespace.", {
            "apiGroup": string("API group of the invoker."),
            "kind!": enum("Kind of the invoker.", "BackupConfiguration", "BackupBatch"),
            "name!": string("Name of the invoker.", minLength=1)}),
        "retryLeft": int32("Sessions that may follow if this one fails.")}),
        ("self == oldSelf", "BackupSession spec is immutable"))
    return ("One run of a backup.", spec, obj("State of the run.", {
        "conditions": conditions(),
        "nextRetry": time("When the next session is due."),
        "phase": enum("State of the run.",
                      "Pending", "Skipped", "Running", "Succeeded", "Failed", "Unknown"),
        "queue": queue(),
        "retried": boolean("Whether the next session has been made."),
        **session_times("session"), "targets": targets}))


def restore_phase():
    return enum("State of the restore.",
                "Pending", "Running", "Succeeded", "Failed", "Unknown", "Invalid")


def restore_session():
    return ("One restore of one target.", checked(obj("What is wanted; can't be changed.", {
        **restore_common(),
        "rules": rules("Old place of target.rules."),
        **job_parts(restore_target(), hooks("Restore", "Actions around the restore."))}),
        ("self == oldSelf", "RestoreSession spec is immutable"),
        ("has(self.target)", "spec.target is missing"),
        ("!has(self.rules) || size(self.rules) == 0 || !has(self.target) || !has(self.target.rules) || "
         "size(self.target.rules) == 0",
         "spec.rules and spec.target.rules are both set; use spec.target.rules")), obj(
        "State of the restore.", {
            "conditions": conditions(),
            "observedGeneration": int64("Generation that was last looked at."),
            "phase": restore_phase(), "queue": queue(), **session_times("restore"),
            "snapshots": array("What \"latest\" is in this restore, one entry a host of the repository: the same for "
                               "all volumes.", obj("A snapshot.", {
                                   "hostname!": string("Host in the repository."),
                                   "id!": string("Id of the snapshot.")})),
            "stats": restore_stats(),
            "totalHosts": int32("Number of hosts that are expected.")}))


def backup_batch():
    return ("Regular backup of several targets together.", obj("What is wanted.", {
        **backup_common(),
        "executionOrder": order(),
        "hooks": hooks("Backup", "Actions around each session."),
        "members": members(backup_target(), hooks("Backup", "Actions around this backup.")),
        "runtimeSettings": runtime_settings("Settings of pods for hooks and schedule.")}),
        invoker_status(memberConditions=array("Conditions of the members.", obj("A member.", {
            "conditions": conditions(), "target!": target_ref("The object.")}))))


def restore_batch():
    state = array("State of the members.", obj("A member.", {
        "conditions": conditions(),
        "phase": enum("State of the member.",
                      "Pending", "Succeeded", "Running", "Failed", "Unknown"),
        "ref!": target_ref("The object."),
        "stats": restore_stats(),
        "totalHosts": int32("Number of hosts that are expected.")}))
    return ("One restore of several targets together.", obj("What is wanted.", {
        **restore_common(),
        "executionOrder": order(),
        "hooks": hooks("Restore", "Actions around the whole restore."),
        "members": members(restore_target(), hooks("Restore", "Actions around this restore."))}),
        obj("State of the restore.", {
            "conditions": conditions(), "members": state, "phase": restore_phase(),
            "queue": queue(), **session_times("restore")}))


def backup_blueprint():
    parts = job_parts(None, hooks("Backup", "Actions around each backup."))
    del parts["target"]
    return ("Template of a Repository and a BackupConfiguration.", obj(
        "What is made for a target; strings may hold ${VAR}.", {
            **repository_spec(), **schedule_parts(), **parts,
            "backupNamespace": string("Namespace of the backup; the target's if left out."),
            "repoNamespace": string("Namespace of the Repository; the backup's if left out.")}),
        None)


def task():
    volume = obj("A volume; its source is named at this level.", {
        **volume_sources(), "name!": string("Name of the volume.")})
    return ("A pod as a list of Functions.", obj("Steps and volumes.", {
        "steps": array("Functions in their order.", obj("One step.", {
            "name": string("Name of the Function."), "params": params()})),
        "volumes": array("Volumes of the pod; may hold ${VAR}.", volume)}), None)


def function():
    return ("A container as a template.", obj("The container; strings may hold ${VAR}.", {
        "args": strings("Arguments of the program."),
        "command": strings("Program; that of the image if left out."),
        "image": string("Image of the container."),
        "podSecurityPolicyName": string("Accepted for compatibility; has no effect."),
        "ports": array("Ports of the container.", obj("A port.", {
            "containerPort!": int32("Number of the port."),
            "hostIP": string("Address of the node to bind."),
            "hostPort": int32("Port of the node."),
            "name": string("Name of the port."),
            "protocol": string("TCP, UDP or SCTP.", default="TCP")})),
        "runtimeSettings": container_settings("More settings of the container."),
        "volumeDevices": array("Block volumes of the container.", obj("A device.", {
            "devicePath!": string("Path of the device in the container."),
            "name!": string("Name of the volume.")})),
        "volumeMounts": volume_mounts("Volumes of the container."),
        "workingDir": string("Folder that the program starts in.")}), None)


def app_binding():
    def secret(text):
        return obj(text, {
            "apiGroup": string("API group of the object.", default=""),
            "kind!": string("Kind of the object.", default="Secret"),
            "name!": string("Name of the object.")})
    transforms = array("Changes to a copy of the Secret, in order.", obj("One change.", {
        "addKey": obj("Adds or replaces a key.", {
            "key!": string("The key."), "stringValue": string("Value as text; wins over value."),
            "value": node("string", "Value in base64.", format="byte")}),
        "addKeysFrom": obj("Adds all keys of another Secret.", {
            "secretRef": obj("Secret of the same namespace.", {"name!": string("Its name.")})}),
        "removeKey": obj("Removes a key.", {"key!": string("The key.")}),
        "renameKey": obj("Renames a key.", {
            "from!": string("Old key."), "to!": string("New key.")})}))
    client = obj("How to connect; a service wins over a URL.", {
        "caBundle": node("string", "PEM certificates for checking the server, in base64.",
                         format="byte"),
        "insecureSkipTLSVerify": boolean("Accept any certificate of the server.", default=False),
        "serverName": string("Name to look for in the server's certificate."),
        "service": obj("Service of the application.", {
            "name!": string("Name of the Service."),
            "namespace": string("Its namespace; that of the AppBinding if left out."),
            "path": string("Path of the URL."),
            "port!": int32("Port of the Service."),
            "query": string("Query of the URL."),
            "scheme!": string("Scheme of the URL, such as mysql.")}),
        "url": string("URL, or a data source name such as tcp(host:3306)/.")})
    parameters = anything("Settings of the kind of application, stash.addon included.",
                          **{"x-kubernetes-embedded-resource": True})
    return ("How to reach an application.", obj("Address, credentials, settings.", {
        "appRef": obj("The application's own object.", {
            "apiGroup": string("Its API group."), "kind": string("Its kind."),
            "name!": string("Its name."), "namespace": string("Its namespace.")}),
        "clientConfig!": client,
        "parameters": parameters,
        "secret": secret("Credentials, in the namespace of the AppBinding."),
        "secretTransforms": transforms,
        "tlsSecret": secret("Client certificate, in the namespace of the AppBinding."),
        "type": string("Kind of application, such as kubedb.com/perconaxtradb."),
        "version": string("Version of the application.")}), None)


# --- definitions ----------------------------------------------------------------------------------

AGE = ("Age", ".metadata.creationTimestamp", "date")
PHASE = ("Phase", ".status.phase", "string")
TASK = ("Task", ".spec.task.name", "string")
SCHEDULE = ("Schedule", ".spec.schedule", "string")
PAUSED = ("Paused", ".spec.paused", "boolean")
DURATION = ("Duration", ".status.sessionDuration", "string")
REPOSITORY = ("Repository", ".spec.repository.name", "string")

# kind, plural, version, schema, short name, in category all, cluster scoped, columns
KINDS = [
    ("Repository", "repositories", "v1alpha1", repository, "repo", False, False, [
        ("Integrity", ".status.integrity", "boolean"),
        ("Size", ".status.totalSize", "string"),
        ("Snapshot-Count", ".status.snapshotCount", "integer"),
        ("Last-Successful-Backup", ".status.lastBackupTime", "date", "date-time"), AGE]),
    ("BackupConfiguration", "backupconfigurations", "v1beta1", backup_configuration, "bc",
     True, False, [TASK, SCHEDULE, PAUSED, PHASE, AGE]),
    ("BackupSession", "backupsessions", "v1beta1", backup_session, None, True, False, [
        ("Invoker-Type", ".spec.invoker.kind", "string"),
        ("Invoker-Name", ".spec.invoker.name", "string"), PHASE, DURATION, AGE]),
    ("RestoreSession", "restoresessions", "v1beta1", restore_session, "restore", True, False,
     [REPOSITORY, PHASE, DURATION, AGE]),
    ("BackupBatch", "backupbatches", "v1beta1", backup_batch, None, True, False,
     [SCHEDULE, PAUSED, PHASE, AGE]),
    ("RestoreBatch", "restorebatches", "v1beta1", restore_batch, None, True, False,
     [REPOSITORY, PHASE, DURATION, AGE]),
    ("BackupBlueprint", "backupblueprints", "v1beta1", backup_blueprint, "bb", False, True,
     [TASK, SCHEDULE, AGE]),
    ("Task", "tasks", "v1beta1", task, "task", False, True, [AGE]),
    ("Function", "functions", "v1beta1", function, "fn", False, True, [AGE]),
    ("AppBinding", "appbindings", "v1alpha1", app_binding, None, True, False, [
        ("Type", ".spec.type", "string"), ("Version", ".spec.version", "string"), AGE]),
]


def definition(kind, plural, version, schema, short, in_all, cluster, columns):
    group, family = (CATALOG, "catalog") if kind == "AppBinding" else (STASH, "stash")
    text, spec, status = schema()
    names = {"kind": kind, "listKind": kind + "List", "plural": plural, "singular": kind.lower(),
             "categories": [family, "appscode"] + (["all"] if in_all else [])}
    if short:
        names["shortNames"] = [short]
    whole = obj(text, {
        "apiVersion": string("Version of the schema of this object."),
        "kind": string("Kind of this object."),
        "metadata": {"type": "object"},  # the API server wants nothing else here
        "spec!" if spec.get("required") else "spec": spec,
        **({"status": status} if status else {})})
    versions = {"name": version, "served": True, "storage": True,
                "additionalPrinterColumns": [
                    dict(zip(("name", "jsonPath", "type", "format"), column))
                    for column in columns],
                "schema": {"openAPIV3Schema": whole}}
    if status:
        versions["subresources"] = {"status": {}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}",
                         "labels": {"app.kubernetes.io/name": family},
                         "annotations": {"helm.sh/resource-policy": "keep"}},
            "spec": {"group": group, "names": names,
                     "scope": "Cluster" if cluster else "Namespaced",
                     "preserveUnknownFields": False, "conversion": {"strategy": "None"},
                     "versions": [versions]}}


if __name__ == "__main__":
    def guard(name):
        return 'include "stashd.hasAppBindings" .' if "appbindings" in name else ".Values.crds.install"
    sys.exit(settle("gen-crds.py", {f"templates/crds/{row[1]}.yaml": [definition(*row)] for row in KINDS}, guard))
