"""`fake-dra`: the composition root of the administrator's command."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from api import __version__
from api.errors import DriverError
from api.invariants import NodeFiles
from api.names import DRIVER_NAME
from api.objects import NodeName
from fsck.looks import claims_resource, look
from fsck.mending import Repair, apply, plan
from fsck.nodefiles import read_files
from fsck.report import REPAIRED, Finding, as_json, as_table
from fsck.uninstall import uninstall
from kube.client import Client
from ops.config import cluster_options, logging_options, namespace_of
from ops.logs import configure
from ops.settings import UsageFailure, option, program

REPAIRS: Final = "Repairs"
NODE: Final = "Files of this node"
OUTPUT: Final = "Output"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to do about violations.

    Attributes:
        repair: whether to repair what is safe.
        dry_run: whether to say just what would be repaired.
        settle: seconds between two looks; what only one of them sees is no violation.
    """

    repair: bool
    dry_run: bool
    settle: float


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Look after the driver of fake devices."""


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
    help="Name of the Node that this runs on; needed with --node-files.",
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
@cluster_options
@logging_options
def fsck(**values: Any) -> int:
    """Look for what must never be: in node states, claims, CDI files and checkpoint.

    Exits with 0 if everything is as it should be, with 1 if something is wrong (and was not
    repaired), and with 2 if it could not look.
    """
    configure(values["logging_format"], values["verbosity"])
    files = _files_of(values)
    namespace = namespace_of(values)
    client = Client.from_kubeconfig(
        values["kubeconfig"], qps=0, burst=1, user_agent=f"fake-dra-fsck/{__version__}"
    )
    wish = Wish(values["repair"], values["dry_run"], values["settle"])
    try:
        found = inspect(client, namespace, files, wish)
    except DriverError as error:
        raise UsageFailure(str(error)) from error
    finally:
        client.close()
    click.echo(as_json(found) if values["output"] == "json" else as_table(found))
    return int(any(finding.open for finding in found))


main.add_command(fsck)
main.add_command(uninstall)


def inspect(
    client: Client,
    namespace: str,
    files: Callable[[], Mapping[NodeName, NodeFiles]],
    wish: Wish,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Finding]:
    """Look twice, and repair what is wished of what both looks see.

    Args:
        client: the API server.
        namespace: of the node states.
        files: reads the files of the nodes to look at.
        wish: what to do about violations.
        sleep: waits for some seconds.

    Raises:
        DriverError: it could not look.
    """
    claims = claims_resource(client)
    first = look(client, claims, namespace, files())
    if not first.violations:
        return []
    sleep(wish.settle)
    second = look(client, claims, namespace, files())
    lasting = [violation for violation in second.violations if violation in first.violations]
    seen, found = second, []
    for violation in lasting:
        outcome = _repair(client, plan(seen, violation, claims), wish)
        found.append(Finding(violation, outcome))
        if outcome == REPAIRED:
            seen = look(client, claims, namespace, {})
    return found


def _repair(client: Client, repair: Repair | None, wish: Wish) -> str:
    if repair is None or not (wish.repair or wish.dry_run):
        return ""
    if wish.dry_run:
        return "would be repaired"
    why_not = apply(client, repair)
    return f"not repaired: {why_not}" if why_not else REPAIRED


def _files_of(values: Mapping[str, Any]) -> Callable[[], Mapping[NodeName, NodeFiles]]:
    if not values["node_files"]:
        return dict
    if not values["node_name"]:
        raise UsageFailure(
            "--node-files needs --node-name (env NODE_NAME); give the name that kubectl get "
            "nodes shows for this machine"
        )
    node = NodeName(values["node_name"])
    directory = Path(values["kubelet_plugins_directory_path"]) / DRIVER_NAME
    return lambda: {node: read_files(Path(values["cdi_root"]), directory, node)}


if __name__ == "__main__":
    main()
