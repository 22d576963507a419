"""Edits and prepared claims as a driver of any kind makes them, for hypothesis."""

from hypothesis import strategies as st

from api.objects import ClaimUID
from dra.driver import (
    Config,
    Consumer,
    DeviceNode,
    Edits,
    Hook,
    Mount,
    PreparedClaim,
    PreparedDevice,
    Result,
)

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
paths = text.map(lambda each: f"/{each}")
numbers = st.none() | st.integers(0, 2**20)
variable = st.text(st.characters(codec="ascii", exclude_characters="=\0"), min_size=1, max_size=8)
entries = st.lists(st.builds("{}={}".format, variable, text), max_size=2).map(tuple)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
uids = st.from_regex(r"[a-z0-9]{1,4}(-[a-z0-9]{1,4})?", fullmatch=True).filter(
    lambda uid: uid != "common"
)

mounts = st.builds(Mount, paths, paths, st.lists(text, max_size=2).map(tuple), text)
device_nodes = st.builds(
    DeviceNode,
    paths,
    st.just("") | paths,
    st.sampled_from(["", "b", "c", "u", "p"]),
    numbers,
    numbers,
    st.sampled_from(["", "r", "rw", "rwm", "m"]),
)
hooks = st.builds(
    Hook,
    st.sampled_from(["prestart", "createRuntime", "createContainer", "poststop"]),
    paths,
    st.lists(text, max_size=2).map(tuple),
    entries,
    st.none() | st.integers(1, 2**31 - 1),
)
edits = st.builds(
    Edits,
    st.dictionaries(variable, text, max_size=3),
    st.lists(mounts, max_size=2, unique_by=lambda m: m.container_path).map(tuple),
    st.lists(device_nodes, max_size=2, unique_by=lambda n: n.path).map(tuple),
    st.lists(hooks, max_size=2).map(tuple),
    st.lists(st.integers(1, 2**32 - 2), max_size=2).map(tuple),
)
"""Valid ones; those of two devices may collide."""

devices = st.builds(
    PreparedDevice,
    pool=labels,
    device=labels,
    edits=edits,
    requests=st.lists(labels, max_size=2).map(tuple),
    share_id=st.none() | labels,
    name=st.just("") | labels,
    max_clients=st.none() | st.integers(1, 8),
)
results = st.builds(
    Result,
    request=labels,
    pool=labels,
    device=labels,
    share_id=st.none() | labels,
    consumed=st.dictionaries(labels, text, max_size=1),
    admin=st.booleans(),
    config=st.lists(
        st.builds(Config, st.sampled_from(["FromClass", "FromClaim"]), text, st.just({"a": [1]})),
        max_size=1,
    ).map(tuple),
)
consumers = st.builds(Consumer, st.just("pods"), labels, labels)
claims = st.builds(
    PreparedClaim,
    uid=uids.map(ClaimUID),
    namespace=labels,
    name=labels,
    label=labels,
    devices=st.lists(devices, max_size=2).map(tuple),
    results=st.lists(results, max_size=2).map(tuple),
    consumers=st.lists(consumers, max_size=2).map(tuple),
)
"""Prepared ones, and ones that are preparing; not all can be written as CDI specs."""
