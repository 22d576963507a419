"""How a program declares its settings: one flag, one environment variable, one remedy.

Every program is made by `program` and its settings by `option`, so that all read alike: the help
has sections and says what a setting does; a wrong value ends the program with exit code 2 and one
line that names the flag, its environment variable and what to do. A flag wins over its variable; a
variable that is set but empty counts as unset.

    @program("fake-dra-controller")
    @option("--workers", "WORKERS", section="Controller", type=click.IntRange(1, 100), default=10,
            help="How many keys are worked on at once.", remedy="give a number from 1 to 100")
    @common_options
    def main(workers: int, **common: object) -> int:
        '''Allocate fake devices to ResourceClaims.'''
"""

import math
import os
import platform
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from api import __version__
from api.errors import DriverError
from kube.errors import ConfigError as KubeConfigError
from ops.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])


class Setting(click.Option):
    """An option with its section in the help, and with the remedy that a wrong value is told."""

    def __init__(
        self, *args: Any, section: str, remedy: str, empty: bool = False, **attrs: Any
    ) -> None:
        """Make an option; `option` is the way to do it."""
        super().__init__(*args, **attrs)
        self.section = section
        self.remedy = remedy
        self.empty = empty

    @property
    def label(self) -> str:
        """The flag and its environment variables, as messages name them."""
        names = [self.envvar] if isinstance(self.envvar, str) else list(self.envvar or [])
        return f"{self.opts[-1]} (env {' or '.join(names)})"

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the variable; an empty one is none unless it means something."""
        value = super().resolve_envvar_value(ctx)
        if value is None and self.empty and isinstance(self.envvar, str):
            return os.environ.get(self.envvar)
        return value

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Convert the value; an empty one is as good as none for a required setting."""
        try:
            result = super().process_value(ctx, value)
        except click.MissingParameter as error:
            raise UsageFailure(f"{self.label} is not set; {self.remedy}") from error
        except click.BadParameter as error:
            what = error.message.rstrip(".")
            raise UsageFailure(f"{self.label}: {what}; {self.remedy}") from error
        if self.required and result == "":
            raise UsageFailure(f"{self.label} is empty; {self.remedy}")
        return result


class Verbosity(click.IntRange):
    """`-v=5`, which klog takes, reaches a short option of click with its equals sign."""

    name = "level"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert without the equals sign."""
        bare: Any = value.removeprefix("=") if isinstance(value, str) else value
        return super().convert(bare, param, ctx)


class Rate(click.FloatRange):
    """A number, which `nan` is not."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert, and refuse what is no number."""
        rate = super().convert(value, param, ctx)
        return self.fail("not a number", param, ctx) if math.isnan(rate) else rate


class UsageFailure(click.ClickException):
    """The program cannot run with these settings: one line on standard error, exit code 2."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        """Take the message; line breaks in it become spaces."""
        super().__init__(_one_line(message))


class Program(click.Command):
    """A command with sections in its help and with errors of one line."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by section, in the order in which sections first occur."""
        sections: dict[str, list[tuple[str, str]]] = {}
        others: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            section = param.section if isinstance(param, Setting) else None
            records = others if section is None else sections.setdefault(section, [])
            records.extend(filter(None, [param.get_help_record(ctx)]))
        for name, records in [*sections.items(), ("Other", others)]:
            with formatter.section(name):
                formatter.write_dl(records)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the arguments; wrong usage is one line."""
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            text = error.format_message().rstrip(".")
            name = error.ctx.command_path if error.ctx else self.name
            raise UsageFailure(f"{text}; see {name} --help") from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the function and exit with its result."""
        try:
            code = super().invoke(ctx)
        except (ConfigError, KubeConfigError) as error:
            raise UsageFailure(str(error)) from error
        except DriverError as error:
            raise click.ClickException(_one_line(str(error))) from error
        ctx.exit(code or 0)


def program(name: str) -> Callable[[Callable[..., int | None]], Program]:
    """Return a decorator that makes a function a program.

    The docstring is the help, the result the exit code. A ConfigError, of this package or of kube,
    ends with exit code 2, any other DriverError with 1; both show their message on one line.
    """
    context = {"max_content_width": 100, "help_option_names": ["-h", "--help"]}
    version = click.version_option(
        __version__, message=f"%(prog)s %(version)s (Python {platform.python_version()})"
    )

    def decorate(function: Callable[..., int | None]) -> Program:
        return click.command(name, cls=Program, context_settings=context)(version(function))

    return decorate


def option(
    flags: str,
    env: str | Sequence[str],
    *,
    section: str,
    help: str,  # noqa: A002 - click's word
    remedy: str,
    show_default: str | bool = True,
    **attrs: Any,
) -> Callable[[F], F]:
    """Return a decorator that adds one setting.

    Args:
        flags: `--name`, which the function gets as the keyword `name`; or several with commas.
        env: its environment variable, or several of which the first non-empty one counts.
        section: heading in the help.
        help: what it does, and when to change it.
        remedy: what to do about a wrong value, as the second half of a sentence.
        show_default: a text instead of the default, where that says more.
        attrs: what else `click.option` takes, such as `type`, `default` and `required`; with
            `empty` an empty variable is no unset one, but has an empty value.
    """
    return click.option(
        *flags.split(","),
        envvar=env,
        show_envvar=True,
        cls=Setting,
        section=section,
        help=help,
        remedy=remedy,
        show_default=show_default,
        **attrs,
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
