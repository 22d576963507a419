import pytest

from devcluster.apiserver.errors import BadRequest, Expired, TooLargeVersion
from devcluster.apiserver.listing import ListOptions, Page, parse_revision
from devcluster.apiserver.selectors import selector
from tests.support.apiserverrig import Rig, thing


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    for name in "abcde":
        rig.create("Thing", {"metadata": {"name": name, "labels": {"even": str(name in "bd")}}})
    return rig


def listed(rig: Rig, options: ListOptions | None = None) -> Page:
    return rig.store.list(rig.thing, "default", options)


def names(page: Page) -> str:
    return "".join(stored.obj["metadata"]["name"] for stored in page.items)


def test_a_list_without_options_is_whole(rig: Rig) -> None:
    page = listed(rig)
    assert (names(page), page.token, page.remaining) == ("abcde", "", None)
    assert page.revision == rig.storage.revision


def test_pages_show_one_revision_whatever_happens_between(rig: Rig) -> None:
    first = listed(rig, ListOptions(limit=2))
    assert (names(first), first.remaining) == ("ab", 3)
    rig.delete("Thing", "d")
    rig.create("Thing", thing("c1"))
    second = listed(rig, ListOptions(limit=2, token=first.token))
    assert (names(second), second.remaining, second.revision) == ("cd", 1, first.revision)
    third = listed(rig, ListOptions(limit=2, token=second.token))
    assert (names(third), third.token) == ("e", "")


def test_pages_of_a_selection_are_full_and_not_counted(rig: Rig) -> None:
    chosen = selector(rig.thing, "even=False")
    first = listed(rig, ListOptions(chosen, limit=2))
    assert (names(first), first.remaining) == ("ac", None)
    assert names(listed(rig, ListOptions(chosen, limit=2, token=first.token))) == "e"


def test_a_token_expires_with_the_history(rig: Rig) -> None:
    first = listed(rig, ListOptions(limit=2))
    rig.create("Thing", thing("f"))
    rig.storage.compact()
    with pytest.raises(Expired, match="continue parameter is too old"):
        listed(rig, ListOptions(limit=2, token=first.token))


@pytest.mark.parametrize("token", ["x", "%%%", "e30", "W10", "bnVsbA"])
def test_a_token_that_was_made_up_is_400(rig: Rig, token: str) -> None:
    with pytest.raises(BadRequest):
        listed(rig, ListOptions(token=token))


@pytest.mark.parametrize(
    ("revision", "match", "limit", "seen"),
    [
        ("4", "Exact", 0, "abc"),
        ("4", "NotOlderThan", 0, "abcde"),
        ("4", "", 0, "abcde"),
        ("4", "", 10, "abc"),
        ("0", "", 10, "abcde"),
    ],
)
def test_which_revision_a_list_shows(
    rig: Rig, revision: str, match: str, limit: int, seen: str
) -> None:
    assert names(listed(rig, ListOptions(revision=revision, match=match, limit=limit))) == seen


def test_an_exact_revision_may_be_too_old(rig: Rig) -> None:
    rig.storage.compact()
    with pytest.raises(Expired, match="too old"):
        listed(rig, ListOptions(revision="2", match="Exact"))


def test_a_revision_of_the_future_is_to_be_waited_for(rig: Rig) -> None:
    with pytest.raises(TooLargeVersion) as refused:
        listed(rig, ListOptions(revision="999"))
    assert refused.value.message == "Too large resource version: 999, current: 6"
    assert refused.value.details is not None
    assert refused.value.details["retryAfterSeconds"] == 1


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "²"])
def test_a_revision_is_a_number(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_revision(text)


def test_no_revision_is_zero() -> None:
    assert (parse_revision(""), parse_revision("12")) == (0, 12)
