from ops.checks import run_checks


def raising() -> str | None:
    raise ValueError("bad")


def test_every_check_runs_although_one_raises() -> None:
    checks = {"a": raising, "b": lambda: None, "c": lambda: "no list yet of pods"}
    results = run_checks(checks)
    assert results == {"a": "ValueError: bad", "b": None, "c": "no list yet of pods"}
