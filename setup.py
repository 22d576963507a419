"""Build entry point; everything else is declared in setup.cfg.

FAKE_DRA_PARTS=programs builds the wheel of the image, which has nothing for a developer's machine.
"""

import os
from typing import Any, Final

from setuptools import Distribution, setup

NO_PROGRAMS: Final = ("devcluster", "testing")
_PARTS: Final = os.environ.get("FAKE_DRA_PARTS", "all")


class Programs(Distribution):
    """What setup.cfg declares, without the packages that no program of the driver needs."""

    def parse_config_files(self, *args: Any, **options: Any) -> None:
        """Read setup.cfg, and leave out packages with their commands and files."""
        super().parse_config_files(*args, **options)
        self.packages = [name for name in self.packages if _is_program(name)]
        self.package_data = {
            name: files for name, files in self.package_data.items() if _is_program(name)
        }
        commands = self.entry_points["console_scripts"]
        self.entry_points = {
            "console_scripts": [line for line in commands if _is_program(line.split("=")[1])]
        }


def _is_program(module: str) -> bool:
    return module.strip().split(".")[0] not in NO_PROGRAMS


if _PARTS not in ("all", "programs"):
    raise SystemExit(f"FAKE_DRA_PARTS={_PARTS!r} is unknown; give all or programs")
setup(distclass=Programs if _PARTS == "programs" else Distribution)
