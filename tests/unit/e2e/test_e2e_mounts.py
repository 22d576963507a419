from pathlib import Path

from tests.e2e.cluster.mounts import below

TABLE = """\
/dev/vda / ext4 rw 0 0
tmpfs /var/lib/kubelet/pods/1/volumes/token tmpfs rw 0 0
tmpfs /var/lib/kubelet-other tmpfs rw 0 0
overlay /var/lib/kubelet overlay rw 0 0
tmpfs /var/lib/kubelet/with\\040space tmpfs rw 0 0
"""


def test_innermost_first_and_only_below() -> None:
    assert below(TABLE, Path("/var/lib/kubelet")) == [
        "/var/lib/kubelet/pods/1/volumes/token",
        "/var/lib/kubelet/with space",
        "/var/lib/kubelet",
    ]


def test_none() -> None:
    assert below(TABLE, Path("/srv")) == []
