import hashlib
import io
import json
import tarfile
from pathlib import Path

from tests.e2e.cluster import archives


def test_image_of_one_program(tmp_path: Path) -> None:
    archive = tmp_path / "images" / "tool.tar"
    archives.write(archive, "tool:1", b"program", "bin/tool", links=["bin/sh"], command=["/bin/sh"])
    with tarfile.open(archive) as tar:
        content = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]

    (manifest,) = json.loads(content["manifest.json"])
    assert manifest["RepoTags"] == ["tool:1"]
    layer = content[manifest["Layers"][0]]
    config = json.loads(content[manifest["Config"]])
    assert config["config"]["Cmd"] == ["/bin/sh"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert tar.getmember("bin/tool").mode == 0o755
        assert tar.getmember("bin/sh").linkname == "/bin/tool"
    assert [p.name for p in archive.parent.iterdir()] == ["tool.tar"]
