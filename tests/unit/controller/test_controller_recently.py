"""What was seen lately."""

from controller.claims.recently import Recently


def test_the_oldest_member_is_forgotten() -> None:
    recently = Recently[str](2)
    for member in ("a", "b", "a", "c"):
        recently.add(member)
    assert ["a" in recently, "b" in recently, "c" in recently] == [True, False, True]
