"""`fake-dra fsck`: the composition root of the administrator's command."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from api import __version__
from api.claims.versions import STRUCTURED
from api.contract import Contract
from api.errors import DriverError
from api.invariants import NodeFiles
from api.objects import NodeName
from api.resources import Resource
from fsck.looks import Look, claims_resource, look
from fsck.mending import Repair, apply, plan
from fsck.namespaces import driver_namespace
from fsck.nodefiles import node_of, read_files
from fsck.report import REPAIRED, Finding, Scope, as_json, as_table
from kube.client import Client
from ops.apiserver import still_waiting
from ops.config import (
    driver_option,
    kubeconfig_option,
    logging_options,
    namespace_of,
    namespace_option,
)
from ops.logs import configure, get_logger
from ops.settings import UsageFailure, option, program

REPAIRS: Final = "Repairs"
NODE: Final = "Files of this node"
OUTPUT: Final = "Output"


@dataclass(frozen=True, slots=True)
class Options:
    """What to do about violations.

    Attributes:
        repair: whether to repair what is safe.
        dry_run: whether to say just what would be repaired.
        settle: seconds between two looks; what only one of them sees is no violation.
    """

    repair: bool
    dry_run: bool
    settle: float


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was looked at, and what is wrong there."""

    scope: Scope
    findings: list[Finding]


@program("fsck")
@option(
    "--repair",
    "FSCK_REPAIR",
    section=REPAIRS,
    is_flag=True,
    help="Repair what is safe to repair beside a running controller: take devices back from claims "
    "that are gone, and give claims their finalizer back.",
    remedy="give it without a value",
)
@option(
    "--dry-run",
    "FSCK_DRY_RUN",
    section=REPAIRS,
    is_flag=True,
    help="Say what --repair would repair, and change nothing.",
    remedy="give it without a value",
)
@option(
    "--settle",
    "FSCK_SETTLE",
    section=REPAIRS,
    type=click.FloatRange(0, 600),
    default=2.0,
    help="Seconds between two looks. What is wrong in one of them only was on its way.",
    remedy="give a number of seconds from 0 to 600",
)
@option(
    "--node-files",
    "FSCK_NODE_FILES",
    section=NODE,
    is_flag=True,
    help="Look also at the CDI files and the checkpoint of the node that this runs on.",
    remedy="give it without a value",
)
@option(
    "--node-name",
    "NODE_NAME",
    section=NODE,
    metavar="NAME",
    default="",
    show_default=False,
    help="Name of the Node that this runs on, for --node-files. By default the one that its CDI "
    "files name.",
    remedy="give the name that kubectl get nodes shows for this machine",
)
@option(
    "--cdi-root",
    "CDI_ROOT",
    section=NODE,
    metavar="DIRECTORY",
    default="/etc/cdi",
    help="Directory of the CDI files, as the plugin has it.",
    remedy="give the plugin's --cdi-root",
)
@option(
    "--kubelet-plugins-directory-path",
    "KUBELET_PLUGINS_DIRECTORY_PATH",
    section=NODE,
    metavar="DIRECTORY",
    default="/var/lib/kubelet/plugins",
    help="Directory of the kubelet's plugins, as the plugin has it.",
    remedy="give the plugin's --kubelet-plugins-directory-path",
)
@option(
    "--output,-o",
    "FSCK_OUTPUT",
    section=OUTPUT,
    type=click.Choice(["table", "json"]),
    default="table",
    help="A table for people, or an array of objects for programs.",
    remedy="give table or json",
)
@kubeconfig_option
@namespace_option("the one that has NodeAllocationStates")
@driver_option
@logging_options
def fsck(**values: Any) -> int:
    """Look for what must never be: in node states, claims, CDI files and checkpoint.

    Where kube-scheduler allocates (Kubernetes 1.32 and later): in claims and ResourceSlices, and
    for what classic claims have left.

    Says first what it looks at: the API server, the namespace, how many nodes and claims.

    Exit codes:

    \b
      0  everything is as it should be, or was repaired
      1  something is wrong, and was not repaired
      2  it could not look: wrong settings, no answer, or nothing found to look at
    """  # noqa: D301 - click wants the backspace itself
    configure(values["logging_format"], values["verbosity"])
    files = _files_of(values)
    client = Client.from_kubeconfig(
        values["kubeconfig"],
        qps=0,
        burst=1,
        user_agent=f"fake-dra-fsck/{__version__}",
        on_wait=still_waiting(get_logger("fsck")),
    )
    options = Options(values["repair"], values["dry_run"], values["settle"])
    try:
        namespace = driver_namespace(client, values["namespace"], lambda: namespace_of(values))
        seen = inspect(client, namespace, files, options, values["contract"])
    except DriverError as error:
        raise UsageFailure(str(error)) from error
    finally:
        client.close()
    as_objects = values["output"] == "json"
    click.echo(str(seen.scope), err=as_objects)
    click.echo(as_json(seen.findings) if as_objects else as_table(seen.findings))
    return int(any(finding.open for finding in seen.findings))


def inspect(
    client: Client,
    namespace: str,
    files: Callable[[], Mapping[NodeName, NodeFiles]],
    options: Options,
    contract: Contract,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Inspection:
    """Look twice, and repair what is wanted of what both looks see.

    Args:
        client: the API server.
        namespace: of the node states.
        files: reads the files of the nodes to look at.
        options: what to do about violations.
        contract: of the driver.
        sleep: waits for some seconds.

    Raises:
        DriverError: it could not look.
    """
    claims = claims_resource(client)
    first = look(client, claims, namespace, files(), contract)
    if not first.violations:
        return Inspection(_scope(client, namespace, claims, first), [])
    sleep(options.settle)
    second = look(client, claims, namespace, files(), contract)
    lasting = [violation for violation in second.violations if violation in first.violations]
    seen, found = second, []
    for violation in lasting:
        outcome = _repair(client, plan(seen, violation, claims, contract), options)
        found.append(Finding(violation, outcome))
        if outcome == REPAIRED:
            seen = look(client, claims, namespace, {}, contract)
    return Inspection(_scope(client, namespace, claims, second), found)


def _scope(client: Client, namespace: str, claims: Resource, seen: Look) -> Scope:
    counts = (seen.nodes, len(seen.claims), seen.ours)
    structured = claims.version in STRUCTURED
    return Scope(client.url, namespace, *counts, seen.files, structured=structured)


def _repair(client: Client, repair: Repair | None, options: Options) -> str:
    if repair is None or not (options.repair or options.dry_run):
        return ""
    if options.dry_run:
        return "would be repaired"
    why_not = apply(client, repair)
    return f"not repaired: {why_not}" if why_not else REPAIRED


def _files_of(values: Mapping[str, Any]) -> Callable[[], Mapping[NodeName, NodeFiles]]:
    if not values["node_files"]:
        return dict
    contract, cdi_root = values["contract"], Path(values["cdi_root"])
    directory = Path(values["kubelet_plugins_directory_path"]) / contract.driver_name

    def read() -> Mapping[NodeName, NodeFiles]:
        node = node_of(contract, cdi_root, directory, values["node_name"])
        return {node: read_files(contract, cdi_root, directory, node)}

    return read
