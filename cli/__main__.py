"""`fake-dra`, and `kubectl dra` by the name `kubectl-dra`: the commands of other packages."""

import gc
from typing import Final

import click

from api import __version__
from cli.convert import convert
from explain.commands import explain, why_not
from fsck.command import fsck
from fsck.uninstall import uninstall
from ui.commands import ui

_GC_THRESHOLDS: Final = (20_000, 10, 10)
"""A cluster is read into millions of objects that stay; by default a third of the time of a command
goes into looking at them again and again."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Tell why pods wait for devices, and look after the driver of fake devices."""
    gc.set_threshold(*_GC_THRESHOLDS)


for _command in (explain, why_not, ui, convert, fsck, uninstall):
    main.add_command(_command)


if __name__ == "__main__":
    main()
