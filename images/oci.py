#!/usr/bin/env python3
"""Packs a root folder as an OCI image archive: oci.py ROOT DOCKERFILE NAME OUT.tar

User, environment and entry point are those of the Dockerfile's last stage. The same folder gives the same bytes.
Prints name, bytes, bytes compressed.
"""
import gzip
import hashlib
import io
import json
import platform
import re
import sys
import tarfile


def settings(dockerfile):
    """What the last stage says, as the config of an image."""
    config = {"Env": []}
    for line in open(dockerfile, encoding="utf-8"):
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            config = {"Env": []}
        elif word == "ENV":
            config["Env"] += re.findall(r"\S+=\S+", rest)
        elif word == "USER":
            config["User"] = rest
        elif word == "ENTRYPOINT":
            config["Entrypoint"] = json.loads(rest)
    return config


def plain(info):
    """Owner and times of the machine say nothing about the image."""
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def layer(root):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(root, arcname=".", filter=plain)  # in the order of the names
    return out.getvalue()


def main(root, dockerfile, name, out):
    text = layer(root)
    packed = gzip.compress(text, 6, mtime=0)
    blobs = {}

    def blob(data, kind, **more):
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data),
                **more}

    arch = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    config = {"architecture": arch, "os": "linux", "config": settings(dockerfile),
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(text).hexdigest()]}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(json.dumps(config).encode(), "config.v1+json"),
                "layers": [blob(packed, "layer.v1.tar+gzip")]}
    full = "docker.io/library/" + name if "/" not in name else name
    index = {"schemaVersion": 2, "manifests": [
        blob(json.dumps(manifest).encode(), "manifest.v1+json", platform={"architecture": arch, "os": "linux"},
             annotations={"io.containerd.image.name": full, "org.opencontainers.image.ref.name": name.split(":")[-1]})]}
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode()}
    files.update({f"blobs/sha256/{digest}": data for digest, data in sorted(blobs.items())})
    with tarfile.open(out, "w") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    print(name, len(text), len(packed))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
