"""`fake-dra convert`: manifests of resource.k8s.io for a cluster of another Kubernetes.

`kubectl apply` takes only the versions that the server has: v1 from 1.34 on, v1beta2 on 1.33,
v1beta1 on 1.32. The server converts only what it has stored.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import IO, Final

import click
import yaml

from api import __version__
from api.claims.versions import STRUCTURED, choose
from api.conversion import converted
from api.errors import DriverError
from api.names import RESOURCE_GROUP
from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS, StructuredResources
from kube.client import Client
from ops.config import kubeconfig_option
from ops.settings import UsageFailure, option, program

SECTION: Final = "Conversion"
_WIDTH: Final = 1000
"""Of a line; an expression is easier to read on one."""


@program("convert")
@option(
    "--filename,-f",
    "CONVERT_FILENAME",
    section=SECTION,
    type=click.File(),
    required=True,
    multiple=True,
    help="Manifest in YAML or JSON, or - for standard input. May be given several times.",
    remedy="give the path of a manifest",
)
@option(
    "--to",
    "CONVERT_TO",
    section=SECTION,
    type=click.Choice(list(STRUCTURED_VERSIONS)),
    show_default="the newest one that the cluster has",
    help="Version of resource.k8s.io.",
    remedy=f"give one of {', '.join(STRUCTURED_VERSIONS)}",
)
@kubeconfig_option
def convert(filename: tuple[IO[str], ...], to: str | None, kubeconfig: str) -> None:
    """Print manifests with their objects of resource.k8s.io in another version.

    Comments are lost; objects of other groups stay as they are. As in

    \b
      fake-dra convert -f demo/structured/fake-test1.yaml | kubectl apply -f -
    """  # noqa: D301 - click wants the backspace itself
    known = STRUCTURED_VERSIONS[to or _served(kubeconfig)]
    for file in filename:
        made = [_in_version(obj, known, file.name) for obj in _objects(file)]
        text = yaml.safe_dump_all(made, sort_keys=False, explicit_start=True, width=_WIDTH)
        click.echo(text, nl=False)


def _objects(file: IO[str]) -> Iterator[JSON]:
    """Yield the objects of a file, those of a List one by one."""
    try:
        documents = list(yaml.safe_load_all(file))
    except yaml.YAMLError as error:
        raise UsageFailure(f"{file.name} is not YAML: {error}") from error
    except UnicodeDecodeError as error:
        raise UsageFailure(f"{file.name} is not UTF-8: {error}; save it as UTF-8") from error
    for document in filter(None, documents):
        listed = isinstance(document, dict) and document.get("kind") == "List"
        items = (document.get("items") or []) if listed else [document]
        for obj in items if isinstance(items, list) else [items]:
            kind = obj.get("kind") if isinstance(obj, dict) else None
            if not (kind and isinstance(kind, str)):
                raise UsageFailure(f"{file.name} has something that is not an object with a kind")
            yield obj


def _in_version(obj: JSON, known: StructuredResources, file: str) -> JSON:
    """Return an object as a version of resource.k8s.io has it, others as they are."""
    group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
    if group != RESOURCE_GROUP:
        return obj
    name, resource = _name(obj), known.of_kind(obj["kind"])
    if version not in STRUCTURED_VERSIONS or resource is None:
        raise UsageFailure(
            f"{file}: {name} of {obj['apiVersion']} has no other version; "
            f"those of {', '.join(STRUCTURED_VERSIONS)} can be converted"
        )
    try:
        return converted(obj, resource)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageFailure(f"{file}: {name} does not have the form of its kind: {error}") from error


def _name(obj: JSON) -> str:
    meta = obj.get("metadata")
    return " ".join([obj["kind"], *([str(meta.get("name", ""))] if isinstance(meta, dict) else [])])


def _served(kubeconfig: str) -> str:
    """Return the newest version with structured claims that the API server has."""
    try:
        with closing(
            Client.from_kubeconfig(
                kubeconfig, qps=0, burst=1, user_agent=f"fake-dra-convert/{__version__}"
            )
        ) as client:
            return choose(client.versions(RESOURCE_GROUP), STRUCTURED, client.server_version())
    except DriverError as error:
        raise UsageFailure(f"{error}; or name a version with --to") from error
