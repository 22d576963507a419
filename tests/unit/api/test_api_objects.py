import pytest

from api.objects import JSON, controller_uid, is_deleting, key_of, object_key, uid_of


@pytest.mark.parametrize(
    ("namespace", "key"),
    [
        pytest.param("shop", "shop/web", id="namespaced"),
        pytest.param(None, "web", id="cluster-scoped"),
        pytest.param("", "web", id="empty-namespace"),
    ],
)
def test_keys_name_an_object(namespace: str | None, key: str) -> None:
    assert object_key(namespace, "web") == key
    assert key_of({"metadata": {"name": "web", "namespace": namespace}}) == key


def test_an_object_that_was_never_stored_has_no_uid() -> None:
    assert uid_of({"metadata": {"name": "a", "uid": "u"}}) == "u"
    assert uid_of({"metadata": {"name": "a"}}) == ""


@pytest.mark.parametrize(
    ("owners", "uid"),
    [
        pytest.param(None, None, id="null"),
        pytest.param([], None, id="empty"),
        pytest.param([{"uid": "a"}], None, id="owner-without-flag"),
        pytest.param([{"uid": "a", "controller": False}], None, id="no-controller"),
        pytest.param([{"uid": "a"}, {"uid": "b", "controller": True}], "b", id="second"),
        pytest.param([{"controller": True}], "", id="without-uid"),
    ],
)
def test_the_controller_is_the_owner_with_the_flag(owners: list[JSON] | None, uid: str) -> None:
    assert controller_uid({"metadata": {"ownerReferences": owners}}) == uid


def test_an_object_without_owners_has_no_controller() -> None:
    assert controller_uid({"metadata": {}}) is None


@pytest.mark.parametrize("when", [None, ""])
def test_deleting_is_told_by_the_timestamp(when: str | None) -> None:
    assert not is_deleting({"metadata": {"deletionTimestamp": when}})
    assert not is_deleting({"metadata": {}})
    assert is_deleting({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
