"""The API server of a World."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.objects import JSON
from kube.errors import KubeError
from tests.support.fakeapi import FakeApi
from tests.support.pluginrig import Tripwire


class WorldApi(FakeApi):
    """A FakeApi whose writes pass a tripwire."""

    def __init__(self, tripwire: Tripwire) -> None:
        super().__init__()
        self._tripwire = tripwire
        self._answers_left: int | None = None
        self._lost: KubeError | None = None

    def versions(self, group: str) -> list[str]:
        return ["v1alpha2"]

    def losing(self, after: int | None, error: KubeError | None = None) -> None:
        """Lose the answer to the write after that many writes; None loses no more."""
        self._lost, self._answers_left = error, after

    def create(self, *args: Any, **kwargs: Any) -> JSON:
        with self._writing():
            return super().create(*args, **kwargs)

    def update(self, *args: Any, **kwargs: Any) -> JSON:
        with self._writing():
            return super().update(*args, **kwargs)

    def patch(self, *args: Any, **kwargs: Any) -> JSON:
        with self._writing():
            return super().patch(*args, **kwargs)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._tripwire.around():
            yield
        if self._answers_left is None:
            return
        self._answers_left -= 1
        if self._answers_left < 0 and self._lost is not None:
            error, self._answers_left = self._lost, None
            raise error
