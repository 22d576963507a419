import io
import json
import logging

import pytest

from ops.logs import Logger, configure, get_logger

pytestmark = pytest.mark.usefixtures("kept_logging")


def lines(verbosity: int, *, form: str = "json") -> list[str]:
    """Log once at each level and return what was shown."""
    stream = io.StringIO()
    configure(form, verbosity, stream)
    log = get_logger("t")
    log.debug("debug")
    log.info("info")
    log.warning("warning")
    log.error("error")
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [
        (0, {"warning": 0, "error": 0}),
        (1, {"warning": 0, "error": 0}),
        (2, {"warning": 0, "error": 0, "info": 2}),
        (3, {"warning": 0, "error": 0, "info": 2}),
        (4, {"warning": 0, "error": 0, "info": 2, "debug": 4}),
        (5, {"warning": 0, "error": 0, "info": 2, "debug": 4}),
        (10, {"warning": 0, "error": 0, "info": 2, "debug": 4}),
    ],
)
def test_verbosity_decides_what_is_shown(verbosity: int, shown: dict[str, int]) -> None:
    found = [json.loads(line) for line in lines(verbosity)]
    assert {line["msg"]: line["v"] for line in found} == shown
    assert all(line["level"] == line["msg"] for line in found)


def test_with_adds_keys_that_a_record_can_override() -> None:
    stream = io.StringIO()
    configure("text", 2, stream)
    log = get_logger("t").with_(node="a", claim="ns/c")
    log.with_(claim="ns/d").info("100% done", node="b")
    assert stream.getvalue().rstrip().endswith('t] "100% done" node="b" claim="ns/d"')


def test_error_shows_its_cause() -> None:
    stream = io.StringIO()
    configure("json", 0, stream)
    get_logger("t").error("Write failed", exc=OSError(28, "No space left"), file="a")
    found = json.loads(stream.getvalue())
    assert found["err"] == "OSError: [Errno 28] No space left"
    assert found["file"] == "a"


@pytest.mark.parametrize("library", ["werkzeug", "urllib3", "kubernetes", "gunicorn", "grpc"])
@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [(2, ["warn"]), (5, ["warn"]), (6, ["warn", "info"]), (10, ["warn", "info"])],
)
def test_libraries_are_routed_and_quiet(library: str, verbosity: int, shown: list[str]) -> None:
    log = logging.getLogger(f"{library}.part")
    stray = logging.StreamHandler(io.StringIO())
    logging.getLogger(library).addHandler(stray)
    logging.getLogger(library).propagate = False
    stream = io.StringIO()
    configure("json", verbosity, stream)
    log.warning("warn")
    log.info("info")
    log.debug("Authorization: secret")
    assert [json.loads(line)["msg"] for line in stream.getvalue().splitlines()] == shown


def test_stdlib_records_carry_keys() -> None:
    stream = io.StringIO()
    configure("json", 2, stream)
    logging.getLogger("kube").info("Listed", extra={"keys": {"items": 3}})
    assert json.loads(stream.getvalue())["items"] == 3


def test_configure_again_replaces_the_handler() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("text", 2, first)
    configure("text", 2, second)
    get_logger("t").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", 2)
    get_logger("t").info("here")
    assert '"here"' in capsys.readouterr().err


class _Costly:
    def __str__(self) -> str:
        raise AssertionError("formatted although nobody sees it")


def test_what_is_off_is_not_formatted() -> None:
    stream = io.StringIO()
    configure("text", 2, stream)
    Logger(logging.getLogger("t"), {}).debug("step", value=_Costly())
    assert stream.getvalue() == ""
