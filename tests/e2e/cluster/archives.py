"""Images written file by file, as the tar archive that `docker save` writes.

One layer is enough for what a node needs before anything can be pulled. The format is that of
Docker's image specification 1.2; containerd reads it like an OCI archive.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_MACHINES: Mapping[str, str] = {"x86_64": "amd64", "aarch64": "arm64"}
_DIRECTORIES = ("bin", "dev", "etc", "proc", "sys", "tmp")


def write(
    archive: Path,
    name: str,
    program: bytes,
    program_path: str,
    *,
    links: Iterable[str] = (),
    command: Sequence[str] = (),
) -> None:
    """Write an image that consists of one static program.

    Args:
        archive: file to write.
        name: of the image, with its tag.
        program: content of the program.
        program_path: its path in the image, without the leading slash.
        links: paths in the image that are symbolic links to the program.
        command: what a container runs.
    """
    layer = _layer(program, program_path, links)
    layer_id = hashlib.sha256(layer).hexdigest()
    config = json.dumps(_config(layer_id, command)).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_name = f"{layer_id}/layer.tar"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [layer_name]}]
    archive.parent.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_suffix(".new")
    with tarfile.open(unfinished, "w") as tar:
        _add(tar, config_name, config)
        _add(tar, layer_name, layer)
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    unfinished.replace(archive)


def _layer(program: bytes, program_path: str, links: Iterable[str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in _DIRECTORIES:
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(directory)
        _add(tar, program_path, program, mode=0o755)
        for path in links:
            link = tarfile.TarInfo(path)
            link.type, link.linkname = tarfile.SYMTYPE, f"/{program_path}"
            tar.addfile(link)
    return content.getvalue()


def _config(layer_id: str, command: Sequence[str]) -> Mapping[str, object]:
    return {
        "architecture": _MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": list(command)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_id}"]},
        "history": [],
    }


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))
