"""The command `dra`: runs a driver, prints what installs it, and makes a new one."""

import os
import sys

# A driver's own api.py or kube/ must not be taken for ours: the working directory comes last.
if sys.path[:1] in ([""], [os.getcwd()]):  # noqa: PTH109 - as Python itself puts it there
    sys.path.append(sys.path.pop(0))

from dra.cli import main

if __name__ == "__main__":
    main(prog_name="python -m dra")
