"""Makes a program of a driver: `run(FileDriver)`, or `python -m dra run module:FileDriver`.

The program has the settings of every plugin and those that the driver declares, see
`dra.settings`; serves the kubelet, publishes ResourceSlices, and answers /healthz, /readyz and
/metrics. Exit code 0 after a signal, 1 if it cannot go on, 2 for settings with which nothing runs.
"""

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

from dra import startup
from dra.driver import Driver
from dra.drivercode import driver_code
from dra.errors import StoppedEarly
from dra.offer import DISCOVER
from dra.settings import (
    NodeConfig,
    arguments,
    check_distinct,
    driver_options,
    node_options,
    rolling_option,
)
from dra.structured import structured
from ops.config import ServingConfig, serving_config, serving_options
from ops.lifecycle import Lifecycle
from ops.logs import configure
from ops.serving import serve_http
from ops.settings import Program, program


def run(make: Callable[..., Driver]) -> NoReturn:
    """Run the program of a driver with the arguments of the command line; does not return.

    Args:
        make: the driver's class, or a function that makes the driver.
    """
    program_of(make)()
    raise AssertionError("a program exits by itself")


def program_of(make: Callable[..., Driver]) -> Program:
    """Return the program of a driver.

    Raises:
        NoDriver: it declares a setting that no flag can have.
    """

    def main(**values: Any) -> int:
        common = serving_config(values)
        configure(common.logging_format, common.verbosity)
        with Lifecycle() as life:
            life.install_signals()
            try:
                driver = startup.answer_of(life, "__init__", lambda: made(values))
                return serve(life, driver, NodeConfig.read(values), common)
            except StoppedEarly:
                return life.wait()

    def made(values: dict[str, Any]) -> Driver:
        with driver_code("__init__", name):
            return make(**arguments(make, values))

    name = getattr(make, "__name__", "driver")
    main.__doc__ = (inspect.getdoc(make) or "").partition("\nArgs:\n")[0]
    decorated = node_options(rolling_option(driver_options(make)(serving_options(main))))
    check_distinct(decorated)
    return program(name)(decorated)


def serve(life: Lifecycle, driver: Driver, config: NodeConfig, common: ServingConfig) -> int:
    """Run until a signal or a crashed thread; return the exit code.

    Raises:
        ConfigError: of kube or ops; nothing can run with these settings.
        CannotServe: nothing can run on this machine as it is, or with such devices.
        StoppedEarly: a signal came before the driver had told its devices.
    """
    contract = driver.contract
    around, lock = startup.surroundings(life, contract, config, common, contract.driver_name)
    rolling = bool(config.rolling_update)
    plugin = startup.answer_of(life, DISCOVER, lambda: structured(around, driver, rolling=rolling))
    serve_http(life, common, around.metrics, plugin.readiness_checks())
    return startup.run(life, around, lambda: plugin.start(life, lock))
