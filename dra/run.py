"""Makes a program of a driver: `run(FileDriver)`, or `python -m dra run module:FileDriver`.

The program has the settings of every plugin and those that the driver declares, see
`dra.settings`; serves the kubelet, publishes ResourceSlices, and answers /healthz, /readyz and
/metrics. Exit code 0 after a signal, 1 if it cannot go on, 2 for settings with which nothing runs.
"""

import gc
import inspect
from collections.abc import Callable
from typing import Any, NoReturn

from api import __version__
from api.objects import NodeName
from dra.driver import Driver
from dra.patience import Patience
from dra.places import NodeLock
from dra.settings import NodeConfig, arguments, driver_options, node_options
from dra.structured import structured
from dra.wiring import Surroundings
from ops.config import ServingConfig, serving_config, serving_options
from ops.events import event_recorder
from ops.lifecycle import Lifecycle
from ops.logs import configure
from ops.metrics import Metrics
from ops.serving import connect, serve_http
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
            return serve(life, make(**arguments(make, values)), NodeConfig.read(values), common)

    main.__doc__ = (inspect.getdoc(make) or "").partition("\nArgs:\n")[0]
    decorated = node_options(driver_options(make)(serving_options(main)))
    return program(getattr(make, "__name__", "driver"))(decorated)


def serve(life: Lifecycle, driver: Driver, config: NodeConfig, common: ServingConfig) -> int:
    """Run until a signal or a crashed thread; return the exit code.

    Raises:
        ConfigError: of kube or ops; nothing can run with these settings.
        CannotServe: nothing can run on this machine as it is, or with such devices.
    """
    name, node = driver.contract.driver_name, NodeName(config.node_name)
    places = config.places(driver.contract)
    places.make_usable()
    lock = NodeLock(places.directory, shared=bool(config.rolling_update))
    life.on_stop("node lock", lock.release)
    metrics = Metrics()
    client = connect(life, common, metrics, user_agent=f"{name}/{__version__}", logger="plugin")
    events = event_recorder(client, common, name, host=config.node_name)
    patience = Patience(life.stop.wait)
    around = Surroundings(client, events, metrics, node, places, patience)
    plugin = structured(around, driver, rolling=bool(config.rolling_update))
    serve_http(life, common, metrics, plugin.readiness_checks())
    events.start()
    life.on_stop("events", events.stop)
    plugin.start(life, lock)
    gc.freeze()
    return life.wait()
