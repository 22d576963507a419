"""The option `--node NAME[:devices=N,model=M]` of `up` and of the demo."""

import re
from typing import Final

import click

from api.parameters import LONGEST_MODEL
from api.validation import label_value, subdomain
from devcluster.config import NodeConfig, counted_names
from plugin.devices import MAX_DEVICES

SYNTAX: Final = "NAME[:devices=N,model=M]"
MAX_NODES: Final = 64

_NEXT_SETTING: Final = re.compile(r",(?=\w+=)")
"""A model may have commas and colons."""


def node_option(text: str) -> NodeConfig:
    """Return the node that an option describes, for the `type` of a click option.

    Raises:
        click.BadParameter: it describes none.
    """
    try:
        return parse_node(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}; write {SYNTAX}") from error


def parse_node(text: str) -> NodeConfig:
    """Return the node that `NAME[:devices=N,model=M]` describes.

    Raises:
        ValueError: it has another form; the message says what is wrong.
    """
    name, colon, rest = text.partition(":")
    if wrong := subdomain(name) or label_value(name):
        raise ValueError(f"the name {name!r} of a node is invalid: {wrong}")
    settings = _settings(rest) if colon else {}
    devices, model = settings.pop("devices", None), settings.pop("model", "")
    if settings:
        raise ValueError(f"unknown setting {', '.join(settings)!r}")
    if len(model) > LONGEST_MODEL:
        raise ValueError(f"a model has {LONGEST_MODEL} characters at most, this one {len(model)}")
    return NodeConfig(name, None if devices is None else _number(devices), model)


def node_text(node: NodeConfig) -> str:
    """Return what `parse_node` reads as a node."""
    given = {"devices": node.devices, "model": node.model or None}
    settings = ",".join(f"{key}={value}" for key, value in given.items() if value is not None)
    return f"{node.name}:{settings}" if settings else node.name


def check_nodes(nodes: int | None, named: tuple[NodeConfig, ...]) -> int:
    """Return how many nodes have names by default: as many as asked for, one if there is no other.

    Raises:
        click.UsageError: there would be too many nodes, or two of one name.
    """
    count = nodes if nodes is not None else int(not named)
    if count + len(named) > MAX_NODES:
        raise click.UsageError(f"--nodes and --node make more than {MAX_NODES} nodes; give fewer")
    names = [*counted_names(count), *(node.name for node in named)]
    for name in names:
        if names.count(name) > 1:
            raise click.UsageError(f"two nodes are named {name!r}; give each another name")
    return count


def _settings(text: str) -> dict[str, str]:
    settings = dict[str, str]()
    for setting in _NEXT_SETTING.split(text):
        key, sign, value = setting.partition("=")
        if not sign or not value:
            raise ValueError(f"{setting!r} is no setting")
        if key in settings:
            raise ValueError(f"{key} is given twice")
        settings[key] = value
    return settings


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_DEVICES:
        raise ValueError(f"devices={text} is no number from 0 to {MAX_DEVICES}")
    return int(text)
