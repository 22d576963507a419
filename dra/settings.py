"""Settings of a driver's program: those of every node plugin, and those of the driver itself.

A driver declares its own by the parameters of its constructor: name, type and default are those of
the flag, and the line about it under `Args:` in the docstring is its help.

    class FileDriver:
        '''Lends files.

Args:
            files: how many there are.
        '''

        def __init__(self, files: int = 1) -> None: ...

has a flag `--files`, with the variable FILES and the default 1. A parameter `node_name` is given
the name of the node.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

import click

from api.contract import Contract
from dra.errors import NoDriver
from dra.places import Places
from ops.settings import F, Setting, UsageFailure, option

NODE: Final = "Node"
DIRECTORIES: Final = "Directories of the node"
DRIVER: Final = "Driver"
NODE_NAME: Final = "node_name"

_EVERYWHERE: Final = (
    *("EDITOR", "HOME", "HOSTNAME", "LANG", "LANGUAGE", "LOGNAME", "MAIL", "PAGER", "PATH", "PWD"),
    *("SHELL", "TERM", "TMPDIR", "TZ", "USER"),
)
"""Variables that processes have without anybody meaning a driver by it. Source: environ(7)."""

_REMEDIES: Final[Mapping[type, str]] = {
    bool: "give true or false",
    int: "give a whole number",
    float: "give a number",
    str: "give a text",
    Path: "give a path",
}


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Settings of every plugin of a node.

    Attributes:
        node_name: of the Node that the plugin runs on.
        cdi_root: directory that the container runtime reads CDI files from.
        kubelet_registrar_directory_path: in which the kubelet looks for plugins.
        kubelet_plugins_directory_path: of the plugins' own directories.
        rolling_update: uid of the pod, if two instances may be on the node; empty if not.
    """

    node_name: str
    cdi_root: str
    kubelet_registrar_directory_path: str
    kubelet_plugins_directory_path: str
    rolling_update: str = ""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "NodeConfig":
        """Make the value of the keywords that click passes to the program."""
        names = cls.__dataclass_fields__.keys() & values.keys()
        return cls(**{name: values[name] for name in names})

    def places(self, contract: Contract) -> Places:
        """Return the files and sockets of a driver.

        Raises:
            SocketUnusable: the uid cannot be part of a socket's name.
        """
        return Places.of(
            contract,
            self.cdi_root,
            self.kubelet_registrar_directory_path,
            self.kubelet_plugins_directory_path,
            self.rolling_update,
        )


_NODE_OPTIONS: Final = (
    option(
        "--node-name",
        "NODE_NAME",
        section=NODE,
        metavar="NAME",
        required=True,
        show_default=False,
        help="Name of the Node that the plugin runs on; in a pod, the field spec.nodeName.",
        remedy="give the name that kubectl get nodes shows for this machine",
    ),
    option(
        "--cdi-root",
        "CDI_ROOT",
        section=DIRECTORIES,
        metavar="DIRECTORY",
        default="/etc/cdi",
        help="Where CDI files are written for the container runtime, which has to read them there; "
        "usual ones are /etc/cdi and /var/run/cdi.",
        remedy="give a directory that the container runtime reads",
    ),
    option(
        "--kubelet-registrar-directory-path",
        "KUBELET_REGISTRAR_DIRECTORY_PATH",
        section=DIRECTORIES,
        metavar="DIRECTORY",
        default="/var/lib/kubelet/plugins_registry",
        help="Where the kubelet looks for plugins: plugins_registry below its --root-dir.",
        remedy="give the kubelet's directory plugins_registry",
    ),
    option(
        "--kubelet-plugins-directory-path",
        "KUBELET_PLUGINS_DIRECTORY_PATH",
        section=DIRECTORIES,
        metavar="DIRECTORY",
        default="/var/lib/kubelet/plugins",
        help="Where the plugin has a directory named like the driver, with its socket and its "
        "checkpoint. In a pod, mount it at the same path, since the kubelet is told where the "
        "socket is.",
        remedy="give a directory that is the same for plugin and kubelet",
    ),
)


rolling_option: Final = option(
    "--rolling-update",
    "ROLLING_UPDATE",
    section=NODE,
    metavar="UID",
    default="",
    show_default="off",
    help="Uid of the pod, by the field metadata.uid: a new instance of the driver then serves "
    "before the old one ends, in a DaemonSet with maxSurge 1. Needs Kubernetes 1.33 or later.",
    remedy="give the uid of the pod, or nothing",
)
"""Decorator that adds --rolling-update."""


def node_options(command: F) -> F:
    """Add every setting of NodeConfig but --rolling-update."""
    return _add(command, _NODE_OPTIONS)


def driver_options(make: Callable[..., object]) -> Callable[[F], F]:
    """Return a decorator that adds the settings that a driver declares.

    Args:
        make: the driver's class, or a function that makes it.

    Raises:
        NoDriver: a parameter has neither a default nor a type that a flag can have.
    """
    described = _descriptions(make)
    try:
        hints = get_type_hints(make.__init__ if inspect.isclass(make) else make)
    except NameError as error:
        raise NoDriver(f"the types of the driver's parameters are not known: {error}") from error
    added = [
        _setting(parameter, hints.get(name), described.get(name, ""))
        for name, parameter in _parameters(make).items()
        if name != NODE_NAME
    ]
    return lambda command: _add(command, added)


def arguments(make: Callable[..., object], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a driver is made with, of all that click passes to the program."""
    return {name: values[name] for name in _parameters(make)}


def check_distinct(command: Callable[..., Any]) -> None:
    """Check that no setting of the driver is one of the program's too.

    Raises:
        NoDriver: naming the parameter.
    """
    settings: Sequence[Setting] = command.__click_params__  # type: ignore[attr-defined]
    ours = {"--help", "--version", *_EVERYWHERE}
    ours.update(each for s in settings if s.section != DRIVER for each in _names(s))
    for setting in reversed(settings):
        taken = sorted(ours.intersection(_names(setting))) if setting.section == DRIVER else []
        if taken:
            raise NoDriver(
                f"parameter {setting.name} of the driver is a setting {' and '.join(taken)}, which "
                "is there already and means something else; call it something else"
            )


def check_given(command: click.Command, given: Sequence[tuple[str, str]]) -> None:
    """Check that a driver's program will run with variables, and with no others.

    Args:
        command: the program.
        given: names and values; an empty one is as good as none.

    Raises:
        UsageFailure: one is no setting, or of a wrong type, or the driver needs another.
    """
    settings = [each for each in command.params if isinstance(each, Setting)]
    known = {name: each for each in settings for name in _names(each)}
    own = [each for each in settings if each.section == DRIVER]
    for name, _ in given:
        if name.startswith("-") or name not in known:
            names = ", ".join(f"{each.envvar}" for each in own) or "none"
            raise UsageFailure(
                f"--set: the driver has no setting {name}; it has {names}, and those of all "
                "drivers, see dra run MODULE:DRIVER --help"
            )
    values = {known[name]: value for name, value in given if value}
    for setting in own:
        if setting.required and setting not in values:
            raise UsageFailure(f"--set {setting.envvar}=… is missing; {setting.remedy}")
    for setting, value in values.items():
        setting.process_value(click.Context(command), value)


def _names(setting: Setting) -> Sequence[str]:
    """Return flags and variables of a setting."""
    variables = setting.envvar or []
    return [*setting.opts, *([variables] if isinstance(variables, str) else variables)]


def _parameters(make: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    """Return what a driver can be made with; a class without constructor takes anything."""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = inspect.signature(make).parameters
    return {name: each for name, each in found.items() if each.kind not in variadic}


def _type(parameter: inspect.Parameter, hint: Any) -> type:
    """Return the type of a setting; None may be its default all the same."""
    alternatives = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = [each for each in alternatives if each is not NoneType]
    if hint is None and parameter.default is not inspect.Parameter.empty:
        kinds = [type(parameter.default)]
    if len(kinds) == 1 and kinds[0] in _REMEDIES:
        return cast(type, kinds[0])
    raise NoDriver(
        f"parameter {parameter.name} of the driver is of type {hint or 'unknown'}, which no flag "
        f"has; annotate it as one of {', '.join(each.__name__ for each in _REMEDIES)}"
    )


def _setting(parameter: inspect.Parameter, hint: Any, text: str) -> Callable[[F], F]:
    given = parameter.default is not inspect.Parameter.empty
    wanted = _type(parameter, hint)
    return option(
        f"--{parameter.name.replace('_', '-')}",
        parameter.name.upper(),
        section=DRIVER,
        # alone it is true; a value is taken too, as a variable has one
        **({"is_flag": False, "flag_value": True} if wanted is bool else {}),
        **({"default": parameter.default} if given else {}),
        type=click.Path(path_type=Path) if wanted is Path else wanted,
        required=not given,
        show_default=given and parameter.default is not None,
        help=text,
        remedy=_REMEDIES[wanted],
    )


def _descriptions(make: Callable[..., object]) -> dict[str, str]:
    """Return what a docstring says of each parameter, under `Args:`."""
    texts = [inspect.getdoc(make) or "", inspect.getdoc(getattr(make, "__init__", make)) or ""]
    found: dict[str, str] = {}
    for text in texts:
        section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)+)", text, re.MULTILINE)
        for name, words in re.findall(
            r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", section[1] if section else "", re.MULTILINE
        ):
            found[name] = _sentence(words)
    return found


def _sentence(words: str) -> str:
    text = " ".join(words.split())
    return text[:1].upper() + text[1:]


def _add(command: F, options: Sequence[Callable[[Any], Any]]) -> F:
    for decorate in reversed(options):
        command = decorate(command)
    return command
