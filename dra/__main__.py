"""The command `dra`: runs a driver, prints what installs it, and makes a new one."""

import os
import sys

# A driver's own api.py or kube/ must not be taken for ours, which are loaded by the next import.
if sys.path[:1] in ([""], [os.getcwd()]):  # noqa: PTH109 - as Python itself puts it there
    del sys.path[0]

from dra.cli import console

if __name__ == "__main__":
    console()
