"""The kubelet of the tests refuses what kubelets refuse, and what containers would suffer from."""

import pytest

from api.objects import ClaimUID
from dra.claims import ClaimRef
from testing.kubeletcalls import (
    HEALTH_V1ALPHA1,
    Answered,
    Device,
    WrongAnswer,
    check,
    kubelet,
)

A, B = (ClaimRef("ns", name, ClaimUID(f"uid-{name}")) for name in "ab")


def device(*requests: str, pool: str = "pool", name: str = "card", id_: str = "v/c=d") -> Answered:
    return Answered((id_,), (Device(requests, pool, name, (id_,), None),))


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        pytest.param({A.uid: Answered()}, "leaves out.*uid-b", id="claim left out"),
        pytest.param(
            {A.uid: Answered(), B.uid: Answered(), "c": Answered()},
            "'c', which was not asked for",
            id="another claim",
        ),
        pytest.param(
            {A.uid: Answered(("v/c=",)), B.uid: Answered()}, "no qualified CDI", id="CDI id"
        ),
        pytest.param({A.uid: device(pool=""), B.uid: Answered()}, "no pool", id="no pool"),
        pytest.param({A.uid: device(name=""), B.uid: Answered()}, "no name", id="no name"),
        pytest.param(
            {A.uid: device("one/alternative"), B.uid: Answered()},
            "has an alternative",
            id="request with an alternative",
        ),
    ],
)
def test_wrong_answer(answers: dict[str, Answered], wrong: str) -> None:
    with pytest.raises(WrongAnswer, match=wrong):
        check([A, B], answers)


@pytest.mark.parametrize(
    "answer",
    [Answered(), Answered(error="away"), Answered(("v/c=d", "v.w/c-1=0.x:y")), device("one")],
    ids=["no devices", "error", "ids", "device"],
)
def test_right_answer(answer: Answered) -> None:
    check([A], {A.uid: answer})


@pytest.mark.parametrize(
    ("requests", "named", "gets"),
    [
        ((), "one", True),
        (("one",), "one", True),
        (("one",), "", True),
        (("one",), "one/sub", False),
        (("one",), "On", False),
        (("one", "two"), "two", True),
    ],
)
def test_container_gets_devices_by_the_very_name_of_its_request(
    requests: tuple[str, ...], named: str, gets: bool
) -> None:
    assert device(*requests).of_container(named) == (("v/c=d",) if gets else ())


@pytest.mark.parametrize(
    ("minor", "health"), [(33, None), (35, HEALTH_V1ALPHA1), (36, HEALTH_V1ALPHA1), (37, None)]
)
def test_health_that_is_not_listed_is_asked_for_by_some(minor: int, health: str | None) -> None:
    assert kubelet(minor).health_service(["v1.DRAPlugin"]) == health


@pytest.mark.parametrize(("minor", "called"), [(33, "v1beta1"), (34, "v1beta1"), (37, "v1beta1")])
def test_list_from_old_to_new_stays_on_the_old_service(minor: int, called: str) -> None:
    assert called in kubelet(minor).service(["v1beta1.DRAPlugin", "v1.DRAPlugin"]).service
