import json
import logging
import re
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import UserError
from api.pods import Pod
from ops.logformat import LONGEST_VALUE, JsonFormatter, TextFormatter, plain
from tests.support.tables import cases

POD = {"metadata": {"name": "web", "namespace": "shop", "uid": "1"}, "spec": {"env": "private"}}


def record(message: str = "Allocated", level: int = logging.INFO, **keys: object) -> Any:
    made = logging.LogRecord("controller", level, "x.py", 1, message, None, None)
    made.created = 1700000000.25
    made.keys = keys
    return made


def text(**keys: Any) -> str:
    return TextFormatter().format(record(**keys)).partition('"Allocated"')[2].strip()


def document(**keys: Any) -> Any:
    return json.loads(JsonFormatter().format(record(**keys)))


@cases(
    ("level", "letter"),
    {
        "trace": (5, "I"),
        "debug": (logging.DEBUG, "I"),
        "info": (logging.INFO, "I"),
        "warning": (logging.WARNING, "W"),
        "error": (logging.ERROR, "E"),
        "critical": (logging.CRITICAL, "F"),
    },
)
def test_text_line_has_the_head_of_klog(level: int, letter: str) -> None:
    line = TextFormatter().format(record(level=level))
    pattern = rf'{letter}\d{{4}} \d\d:\d\d:\d\d\.250000 controller\] "Allocated"'
    assert re.fullmatch(pattern, line)


@cases(
    ("value", "shown"),
    {
        "string": ("node-1", '"node-1"'),
        "quotes": ('say "hi"', r'"say \"hi\""'),
        "line-break": ("a\nE1121 b", r'"a\nE1121 b"'),
        "unprintable": ("a\u2028b\x85c\x1b[1m", r'"a\u2028b\u0085c\u001b[1m"'),
        "lone-surrogate": ("\udc80", r'"\udc80"'),
        "unicode": ("größe→😀", '"größe→😀"'),
        "int": (7, "7"),
        "float": (0.5, "0.5"),
        "nan": (float("nan"), '"nan"'),
        "bool": (True, "true"),
        "none": (None, "null"),
        "list": (["a", 1], '["a", 1]'),
        "exception": (ValueError("bad"), '"ValueError: bad"'),
        "object": (POD, '"shop/web"'),
        "view-of-an-object": (Pod(POD), '"shop/web"'),
        "objects": ([POD], '["shop/web"]'),
        "no-object": ({"metadata": "x"}, '{"metadata": "x"}'),
        "bearer-token": ("Bearer eyJhbGciOiJSUzI1NiIs", '"Bearer <redacted>"'),
        "word-bearer": ("the bearer token expired", '"the bearer token expired"'),
    },
)
def test_text_shows_a_value_on_one_line(value: object, shown: str) -> None:
    assert text(key=value) == f"key={shown}"


@pytest.mark.parametrize("key", ["token", "apiToken", "Authorization", "password", "clientSecret"])
def test_secret_keys_are_not_shown(key: str) -> None:
    assert document(**{key: "s3cr3t"})[key] == "<redacted>"
    assert document(headers={key: "s3cr3t"})["headers"] == {key: "<redacted>"}
    assert "s3cr3t" not in text(**{key: "s3cr3t"}, headers=[{key: "s3cr3t"}])


def test_odd_keys_are_quoted_in_text() -> None:
    assert text(**{'a="b" c': 1, "d.e-f": 2}) == r'"a=\"b\" c"=1 d.e-f=2'


def test_json_document_has_the_fields_of_kubernetes() -> None:
    made = record(claim="ns/c", devices=2)
    made.v = 2
    assert json.loads(JsonFormatter().format(made)) == {
        "ts": 1700000000.25,
        "level": "info",
        "v": 2,
        "logger": "controller",
        "msg": "Allocated",
        "claim": "ns/c",
        "devices": 2,
    }


def test_json_keeps_its_own_fields_when_keys_have_their_names() -> None:
    found = document(ts=1, msg="other")
    assert (found["ts"], found["msg"]) == (1700000000.25, "Allocated")
    assert (found["ts_"], found["msg_"]) == (1, "other")


@pytest.mark.parametrize(
    ("level", "v"), [(logging.ERROR, 0), (logging.WARNING, 0), (logging.INFO, 2), (10, 4)]
)
def test_records_of_libraries_get_a_verbosity(level: int, v: int) -> None:
    assert json.loads(JsonFormatter().format(record(level=level)))["v"] == v


@dataclass(frozen=True)
class _Evil:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_value_that_cannot_be_shown_is_named() -> None:
    assert document(a=_Evil(), b=[_Evil()]) | {"a": "", "b": ""} == document(a="", b="")
    assert document(a=_Evil())["a"] == "<unprintable _Evil>"


def test_long_deep_and_many_values_are_cut() -> None:
    deep: list[Any] = []
    deep.append(deep)
    found = document(long="x" * 9999, deep=deep, many=list(range(100)), map={"a": {}})
    assert len(found["long"]) == LONGEST_VALUE + 1
    assert found["deep"] == [[[[["[…]"]]]]]
    assert found["many"][-1] == "… 36 more"
    assert found["map"] == {"a": {}}


def test_wrong_arguments_of_a_library_do_not_lose_its_record() -> None:
    made = logging.LogRecord("urllib3", logging.WARNING, "x.py", 1, "%s %s", ("one",), None)
    assert json.loads(JsonFormatter().format(made))["msg"] == "%s %s"


def test_keys_of_a_library_that_are_no_mapping_are_left_out() -> None:
    made = record()
    made.keys = ["x"]
    assert TextFormatter().format(made).endswith('"Allocated"')


def failed(error: Exception) -> Any:
    made = record(level=logging.ERROR, claim="ns/c")
    try:
        raise error
    except Exception:  # noqa: BLE001
        made.exc_info = sys.exc_info()
    return made


def test_an_error_of_the_driver_is_shown_without_its_stack() -> None:
    found = json.loads(JsonFormatter().format(failed(UserError("count is 0"))))
    assert found["err"] == "UserError: count is 0"
    assert "stack" not in found


def test_an_unexpected_error_is_shown_with_its_stack() -> None:
    made = failed(KeyError("x"))
    stack = json.loads(JsonFormatter().format(made))["stack"]
    assert stack.startswith("Traceback")
    assert stack.endswith("KeyError: 'x'")
    head, *rest = TextFormatter().format(made).splitlines()
    assert head.endswith('''claim="ns/c" err="KeyError: 'x'"''')
    assert rest
    assert all(line.startswith("\t") for line in rest)


def test_a_stack_does_not_show_tokens_or_start_a_line() -> None:
    made = failed(ValueError("Bearer abcdefghijklmnopqrstuvwxyz\nE1121 forged"))
    assert "abcdefghijkl" not in TextFormatter().format(made)
    assert "\nE1121" not in TextFormatter().format(made)
    assert "abcdefghijkl" not in JsonFormatter().format(made)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@given(st.text(), st.dictionaries(st.text(min_size=1), anything, max_size=4))
def test_any_record_is_one_printable_line_in_both_forms(message: str, keys: Any) -> None:
    made = record(message)
    made.keys = keys
    for formatter in (TextFormatter(), JsonFormatter()):
        line = formatter.format(made)
        assert line.isprintable()
        line.encode()
    assert set(json.loads(line)) >= {"ts", "level", "v", "logger", "msg"}


@given(anything)
def test_plain_values_survive_json(value: object) -> None:
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == plain(value)
