"""Small builders for OpenAPI v3 structural schemas, and the Kubernetes types that our kinds embed.

A property is named "x" or, when required, "x!". Every builder takes the description first.
"""


def node(kind, text, **more):
    return {"description": text, "type": kind, **more}


def string(text, **more):
    return node("string", text, **more)


def enum(text, *values, **more):
    return node("string", text, enum=list(values), **more)


def boolean(text, **more):
    return node("boolean", text, **more)


def int32(text, **more):
    return node("integer", text, format="int32", **more)


def int64(text, **more):
    return node("integer", text, format="int64", **more)


def time(text):
    return node("string", text, format="date-time")


def duration(text, **more):
    pattern = r"^(0|([0-9]+(\.[0-9]*)?(ns|us|ms|s|m|h))+)$"
    return node("string", f"{text} Written as 30s, 10m or 1h30m; there is no unit for days.",
                pattern=pattern, **more)


def int_or_string(text):
    return {"description": text, "x-kubernetes-int-or-string": True}


def quantity(text):
    return {"description": text, "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": r"^[+-]?([0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)"
                       r"([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"}


def obj(text, properties, **more):
    required = [name[:-1] for name in properties if name.endswith("!")]
    schema = node("object", text)
    if required:
        schema["required"] = required
    schema["properties"] = {name.rstrip("!"): value for name, value in properties.items()}
    schema.update(more)
    return schema


def checked(schema, *rules):
    """Rules in CEL: the API server keeps them also while no operator runs. Each is (rule, message), the message in the
    words of the operator's own check, and with a field where the message names one below the schema's."""
    keys = ("rule", "message", "fieldPath")
    schema["x-kubernetes-validations"] = [dict(zip(keys, rule)) for rule in rules]
    return schema


def atomic(text, properties):
    return obj(text, properties, **{"x-kubernetes-map-type": "atomic"})


def array(text, items, **more):
    return node("array", text, items=items, **more)


def strings(text, **more):
    return array(text, {"type": "string"}, **more)


def keyed(text, items, *keys):
    return array(text, items, **{"x-kubernetes-list-type": "map",
                                 "x-kubernetes-list-map-keys": list(keys)})


def mapping(text, value=None):
    return node("object", text, additionalProperties=value or {"type": "string"})


def anything(text, **more):
    """An object whose fields are Kubernetes' business: kept whole, looked at by nobody here."""
    return node("object", text, **{"x-kubernetes-preserve-unknown-fields": True, **more})


# --- references -------------------------------------------------------------------------------

def local_ref(text):
    return atomic(text, {"name": string("Name of the object.", default="")})


def key_of(what):
    return atomic(f"One key of a {what} of the same namespace.", {
        "key!": string("The key."),
        "name": string(f"Name of the {what}.", default=""),
        "optional": boolean(f"Whether the {what} or its key may be missing.")})


def field_ref(text):
    return atomic(text, {
        "apiVersion": string("API version in which the path is read; v1 if left out."),
        "fieldPath!": string("Path of the field, such as metadata.name.")})


def resource_field_ref(text):
    return atomic(text, {
        "containerName": string("Container whose resource is meant; needed in volumes."),
        "divisor": quantity("Unit in which the amount is given; 1 if left out."),
        "resource!": string("Resource, such as limits.memory.")})


def label_selector(text):
    return atomic(text, {
        "matchExpressions": array("Conditions on labels, all of which must hold.", obj(
            "A condition on one label.", {
                "key!": string("Key of the label."),
                "operator!": string("In, NotIn, Exists or DoesNotExist."),
                "values": strings("Values for In and NotIn; empty for the others.")})),
        "matchLabels": mapping("Labels that must have exactly these values.")})


# --- environment, resources, mounts -----------------------------------------------------------

def env():
    return array("Environment variables of the container.", obj("An environment variable.", {
        "name!": string("Name of the variable."),
        "value": string("Its value; $(NAME) refers to variables set before."),
        "valueFrom": obj("Where the value comes from, instead of value.", {
            "configMapKeyRef": key_of("ConfigMap"),
            "fieldRef": field_ref("A field of the pod."),
            "fileKeyRef": atomic("A variable out of a file on a volume of the pod.", {
                "key!": string("Name of the variable in the file."),
                "optional": boolean("Whether file or key may be missing.", default=False),
                "path!": string("Path of the file, relative to the root of the volume."),
                "volumeName!": string("Volume that holds the file.")}),
            "resourceFieldRef": resource_field_ref("A resource of the container."),
            "secretKeyRef": key_of("Secret")})}))


def env_from():
    def source(what):
        return atomic(f"All keys of a {what} of the same namespace.", {
            "name": string(f"Name of the {what}.", default=""),
            "optional": boolean(f"Whether the {what} may be missing.")})
    return array("Sets of environment variables; later ones win over earlier ones.", obj(
        "A set of variables.", {
            "configMapRef": source("ConfigMap"),
            "prefix": string("Text put in front of each name."),
            "secretRef": source("Secret")}))


def amounts(text):
    return mapping(text, {key: value for key, value in quantity("").items()
                          if key != "description"})


def resources(text):
    return obj(text, {
        "claims": keyed("Device claims of the pod that the container uses.", obj(
            "One claim.", {
                "name!": string("Name of the claim in the pod."),
                "request": string("One request of the claim; all of them if left out.")}), "name"),
        "limits": amounts("The most that may be used, by resource."),
        "requests": amounts("What is reserved, by resource.")})


def volume_mounts(text):
    return array(text, obj("Where one volume of the pod is mounted.", {
        "mountPath!": string("Path in the container; without a colon."),
        "mountPropagation": string("How mounts spread between container and node."),
        "name!": string("Name of the volume."),
        "readOnly": boolean("Whether the mount is read-only."),
        "recursiveReadOnly": string("Whether mounts below are read-only too: Disabled, "
                                    "IfPossible or Enabled."),
        "subPath": string("Folder of the volume to mount instead of its root."),
        "subPathExpr": string("As subPath, with variables $(NAME) of the container.")}))


# --- probes and handlers ----------------------------------------------------------------------

def http_headers():
    return array("Headers of the request; a name may occur several times.", obj("A header.", {
        "name!": string("Name of the header."),
        "value!": string("Its value.")}))


def http_target():
    return {"host": string("Host to connect to; the address of the pod if left out."),
            "httpHeaders": http_headers(),
            "path": string("Path of the request."),
            "port!": int_or_string("Number or name of the port."),
            "scheme": string("HTTP or HTTPS; HTTP if left out.")}


def actions():
    return {
        "exec": obj("Runs a command in a container.", {
            "command": strings("Program and arguments; no shell is involved.")}),
        "httpGet": obj("Sends a GET request.", http_target()),
        "tcpSocket": obj("Opens a TCP connection.", {
            "host": string("Host to connect to; the address of the pod if left out."),
            "port!": int_or_string("Number or name of the port.")})}


def probe(text):
    return obj(text, {
        **actions(),
        "failureThreshold": int32("Failures in a row after which the probe has failed."),
        "grpc": obj("Asks the health service of a gRPC server.", {
            "port!": int32("Port of the server."),
            "service": string("Service named in the request.", default="")}),
        "initialDelaySeconds": int32("Seconds from the start to the first probe."),
        "periodSeconds": int32("Seconds between two probes."),
        "successThreshold": int32("Successes in a row that make it good again."),
        "terminationGracePeriodSeconds": int64("Seconds to end after a failed probe."),
        "timeoutSeconds": int32("Seconds until one probe counts as failed.")})


def lifecycle():
    def handler(text):
        return obj(text, {**actions(), "sleep": obj("Waits.", {
            "seconds!": int64("Seconds to wait.")})})
    return obj("Actions at the start and before the end of the container.", {
        "postStart": handler("Run right after the start."),
        "preStop": handler("Run before the container is told to end."),
        "stopSignal": string("Signal that ends the container.")})


# --- security contexts ------------------------------------------------------------------------

def security_common():
    def profile(text, types):
        return obj(text, {
            "localhostProfile": string("Profile on the node; only with type Localhost."),
            "type!": string(f"{types}.")})
    return {
        "appArmorProfile": profile("AppArmor profile.", "Localhost, RuntimeDefault or Unconfined"),
        "runAsGroup": int64("Group id of the processes."),
        "runAsNonRoot": boolean("Refuse to start as uid 0."),
        "runAsUser": int64("User id of the processes."),
        "seLinuxOptions": obj("SELinux context.", {
            "level": string("Level part."), "role": string("Role part."),
            "type": string("Type part."), "user": string("User part.")}),
        "seccompProfile": profile("Filter of system calls.",
                                  "Localhost, RuntimeDefault or Unconfined"),
        "windowsOptions": obj("Settings for Windows nodes.", {
            "gmsaCredentialSpec": string("Credential spec of the managed account, inline."),
            "gmsaCredentialSpecName": string("Name of that credential spec."),
            "hostProcess": boolean("Run as a process of the host."),
            "runAsUserName": string("User name of the processes.")})}


def container_security(text):
    return obj(text, {
        "allowPrivilegeEscalation": boolean("Whether a process may gain more rights."),
        "capabilities": obj("Capabilities to add and drop.", {
            "add": strings("Capabilities to add."), "drop": strings("Capabilities to drop.")}),
        "privileged": boolean("Run with all rights of the node's root."),
        "procMount": string("Kind of /proc: Default or Unmasked."),
        "readOnlyRootFilesystem": boolean("Mount the root file system read-only."),
        **security_common()})


def pod_security(text):
    return obj(text, {
        "fsGroup": int64("Group that owns the files of volumes."),
        "fsGroupChangePolicy": string("When ownership is changed: OnRootMismatch or Always."),
        "seLinuxChangePolicy": string("How volumes are relabelled: MountOption or Recursive."),
        "supplementalGroups": array("More groups of the processes.",
                                    {"type": "integer", "format": "int64"}),
        "supplementalGroupsPolicy": string("Whether the image's groups count: Merge or Strict."),
        "sysctls": array("Kernel settings of the pod.", obj("A kernel setting.", {
            "name!": string("Its name."), "value!": string("Its value.")})),
        **security_common()})


# --- claims and volumes -----------------------------------------------------------------------

def claim_spec():
    return obj("The claim that is wanted.", {
        "accessModes": strings("How it is mounted, such as ReadWriteOnce."),
        "dataSource": atomic("Object the volume is filled from.", {
            "apiGroup": string("API group of the object."),
            "kind!": string("Kind of the object."), "name!": string("Name of the object.")}),
        "dataSourceRef": obj("As dataSource, any kind, also of another namespace.", {
            "apiGroup": string("API group of the object."),
            "kind!": string("Kind of the object."), "name!": string("Name of the object."),
            "namespace": string("Namespace of the object.")}),
        "resources": obj("Size of the volume.", {
            "limits": amounts("Most storage, by resource."),
            "requests": amounts("Least storage, by resource.")}),
        "selector": label_selector("Volumes that may be bound."),
        "storageClassName": string("StorageClass; the default class if left out."),
        "volumeAttributesClassName": string("VolumeAttributesClass of the volume."),
        "volumeMode": string("Filesystem or Block."),
        "volumeName": string("Name of the volume to bind.")})


def claim_template(text):
    return obj(text, {
        "apiVersion": string("API version of the template; has no effect."),
        "kind": string("Kind of the template; has no effect."),
        "metadata": obj("Metadata of the claims.", {
            "annotations": mapping("Annotations of the claims."),
            "generateName": string("Prefix of a generated name."),
            "labels": mapping("Labels of the claims."),
            "name": string("Name of the claims; may hold ${POD_ORDINAL}.", maxLength=253),
            "namespace": string("Has no effect: claims are made in the namespace of the user."),
            "ownerReferences": array("Owners of the claims.", atomic("An owner.", {
                "apiVersion!": string("API version of the owner."),
                "blockOwnerDeletion": boolean("Whether the owner waits for this object."),
                "controller": boolean("Whether the owner manages this object."),
                "kind!": string("Kind of the owner."), "name!": string("Name of the owner."),
                "uid!": string("UID of the owner.")}))}),
        "spec": claim_spec(),
        "status": anything("Accepted from copied claims; has no effect.")})


def volume_sources():
    fs = string("File system type of the volume.")
    ro = boolean("Whether the volume is read-only.")

    def items():
        return array("Keys to show as files; all of them if left out.", obj("One file.", {
            "key!": string("Key to show."),
            "mode": int32("Permission bits of the file."),
            "path!": string("Path of the file in the volume.")}))

    def downward_items():
        return array("Fields to show as files.", obj("One file.", {
            "fieldRef": field_ref("Field of the pod."),
            "mode": int32("Permission bits of the file."),
            "path!": string("Path of the file in the volume."),
            "resourceFieldRef": resource_field_ref("Resource of a container.")}))

    def named(text, what):
        return obj(text, {
            "items": items(), "name": string(f"Name of the {what}.", default=""),
            "optional": boolean(f"Whether the {what} may be missing.")},
            **{"x-kubernetes-map-type": "atomic"})

    mode = int32("Permission bits of files that name none.")
    secret_ref = local_ref("Secret with the credentials.")
    return {
        "awsElasticBlockStore": obj("A disk of AWS.", {
            "fsType": fs, "partition": int32("Partition to mount."), "readOnly": ro,
            "volumeID!": string("Id of the disk.")}),
        "azureDisk": obj("A disk of Azure.", {
            "cachingMode": string("Caching of the host: None, ReadOnly or ReadWrite."),
            "diskName!": string("Name of the disk."), "diskURI!": string("URI of the disk."),
            "fsType": {**fs, "default": "ext4"},
            "kind": string("Shared, Dedicated or Managed."),
            "readOnly": {**ro, "default": False}}),
        "azureFile": obj("A file share of Azure.", {
            "readOnly": ro, "secretName!": string("Secret with account and key."),
            "shareName!": string("Name of the share.")}),
        "cephfs": obj("A Ceph file system.", {
            "monitors!": strings("Ceph monitors."), "path": string("Path to mount."),
            "readOnly": ro, "secretFile": string("Key ring file on the node."),
            "secretRef": secret_ref, "user": string("User name.")}),
        "cinder": obj("A volume of OpenStack.", {
            "fsType": fs, "readOnly": ro, "secretRef": secret_ref,
            "volumeID!": string("Id of the volume.")}),
        "configMap": obj("Files from a ConfigMap.", {
            "defaultMode": mode, "items": items(),
            "name": string("Name of the ConfigMap.", default=""),
            "optional": boolean("Whether the ConfigMap may be missing.")},
            **{"x-kubernetes-map-type": "atomic"}),
        "csi": obj("A volume of the pod's own, by a CSI driver.", {
            "driver!": string("Name of the driver."), "fsType": fs,
            "nodePublishSecretRef": local_ref("Secret handed to the driver."),
            "readOnly": ro, "volumeAttributes": mapping("Settings of the driver.")}),
        "downwardAPI": obj("Files from fields of the pod.", {
            "defaultMode": mode, "items": downward_items()}),
        "emptyDir": obj("A folder that lives as long as the pod.", {
            "medium": string("Memory for a file system in memory."),
            "sizeLimit": quantity("The most it may hold.")}),
        "ephemeral": obj("A claim that lives as long as the pod.", {
            "volumeClaimTemplate": obj("The claim to make.", {
                "metadata": anything("Labels and annotations of the claim."),
                "spec!": claim_spec()})}),
        "fc": obj("A Fibre Channel disk.", {
            "fsType": fs, "lun": int32("Logical unit."), "readOnly": ro,
            "targetWWNs": strings("World wide names of the targets."),
            "wwids": strings("World wide ids of the volume.")}),
        "flexVolume": obj("A volume by an executable on the node.", {
            "driver!": string("Name of the driver."), "fsType": fs,
            "options": mapping("Settings of the driver."), "readOnly": ro,
            "secretRef": secret_ref}),
        "flocker": obj("A Flocker dataset.", {
            "datasetName": string("Name of the dataset."),
            "datasetUUID": string("UUID of the dataset.")}),
        "gcePersistentDisk": obj("A disk of Google Cloud.", {
            "fsType": fs, "partition": int32("Partition to mount."),
            "pdName!": string("Name of the disk."), "readOnly": ro}),
        "gitRepo": obj("A clone of a git repository.", {
            "directory": string("Folder to clone into."), "repository!": string("URL to clone."),
            "revision": string("Commit to check out.")}),
        "glusterfs": obj("A Gluster volume.", {
            "endpoints!": string("Endpoints object of the cluster."),
            "path!": string("Name of the volume."), "readOnly": ro}),
        "hostPath": obj("A path of the node; only where the operator allows it.", {
            "path!": string("Path on the node."),
            "type": string("What must be found there, such as Directory.")}),
        "image": obj("The content of an OCI image or artifact.", {
            "pullPolicy": string("Always, Never or IfNotPresent."),
            "reference": string("Name of the image.")}),
        "iscsi": obj("An iSCSI disk.", {
            "chapAuthDiscovery": boolean("Authenticate the discovery by CHAP."),
            "chapAuthSession": boolean("Authenticate the session by CHAP."),
            "fsType": fs, "initiatorName": string("Name of the initiator."),
            "iqn!": string("Qualified name of the target."),
            "iscsiInterface": string("Transport of the initiator.", default="default"),
            "lun!": int32("Logical unit."), "portals": strings("More portals."),
            "readOnly": ro, "secretRef": secret_ref,
            "targetPortal!": string("Address of the target.")}),
        "nfs": obj("A folder of an NFS server.", {
            "path!": string("Exported path."), "readOnly": ro,
            "server!": string("Host of the server.")}),
        "persistentVolumeClaim": obj("A claim of the same namespace.", {
            "claimName!": string("Name of the claim."), "readOnly": ro}),
        "photonPersistentDisk": obj("A Photon disk.", {
            "fsType": fs, "pdID!": string("Id of the disk.")}),
        "portworxVolume": obj("A Portworx volume.", {
            "fsType": fs, "readOnly": ro, "volumeID!": string("Id of the volume.")}),
        "projected": obj("Several sources in one folder.", {
            "defaultMode": mode,
            "sources": array("What is put together.", obj("One source.", {
                "clusterTrustBundle": obj("Certificates that the cluster trusts.", {
                    "labelSelector": label_selector("Bundles of the signer to take."),
                    "name": string("One bundle by name."),
                    "optional": boolean("Whether the bundles may be missing."),
                    "path!": string("Path of the file in the volume."),
                    "signerName": string("Signer of the bundles.")}),
                "configMap": named("Files from a ConfigMap.", "ConfigMap"),
                "downwardAPI": obj("Files from fields of the pod.", {"items": downward_items()}),
                "podCertificate": anything("A certificate issued for the pod."),
                "secret": named("Files from a Secret.", "Secret"),
                "serviceAccountToken": obj("A token of the pod's account.", {
                    "audience": string("Whom the token is for."),
                    "expirationSeconds": int64("Lifetime in seconds."),
                    "path!": string("Path of the file in the volume.")})}))}),
        "quobyte": obj("A Quobyte volume.", {
            "group": string("Group of the access."), "readOnly": ro,
            "registry!": string("Registry of the service."),
            "tenant": string("Tenant of the volume."), "user": string("User of the access."),
            "volume!": string("Name of the volume.")}),
        "rbd": obj("A Ceph block device.", {
            "fsType": fs, "image!": string("Name of the image."),
            "keyring": string("Key ring file on the node.", default="/etc/ceph/keyring"),
            "monitors!": strings("Ceph monitors."),
            "pool": string("Pool of the image.", default="rbd"), "readOnly": ro,
            "secretRef": secret_ref, "user": string("User name.", default="admin")}),
        "scaleIO": obj("A ScaleIO volume.", {
            "fsType": {**fs, "default": "xfs"}, "gateway!": string("Host of the gateway."),
            "protectionDomain": string("Protection domain."), "readOnly": ro,
            "secretRef!": secret_ref, "sslEnabled": boolean("Use TLS to the gateway."),
            "storageMode": string("Thick or thin storage.", default="ThinProvisioned"),
            "storagePool": string("Storage pool."), "system!": string("Name of the system."),
            "volumeName": string("Name of the volume.")}),
        "secret": obj("Files from a Secret.", {
            "defaultMode": mode, "items": items(),
            "optional": boolean("Whether the Secret may be missing."),
            "secretName": string("Name of the Secret.")}),
        "storageos": obj("A StorageOS volume.", {
            "fsType": fs, "readOnly": ro, "secretRef": secret_ref,
            "volumeName": string("Name of the volume."),
            "volumeNamespace": string("Namespace of the volume there.")}),
        "vsphereVolume": obj("A disk of vSphere.", {
            "fsType": fs, "storagePolicyID": string("Id of the storage policy."),
            "storagePolicyName": string("Name of the storage policy."),
            "volumePath!": string("Path of the disk.")})}
