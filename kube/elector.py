"""Takes part in the election of a leader: reads and writes the Lease as leases.py says.

Two threads per candidate. `run` looks at the Lease and renews it; `guard` sees to it that a leader
whose request hangs does not go on beyond its renew deadline. `saw`, fed by a watch of the Lease,
makes a candidate act at once when the Lease is released.
"""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from api.objects import JSON
from api.resources import LEASES
from kube.client import Client
from kube.errors import Conflict, KubeError, NotFound
from kube.leases import ElectionState, Timing


class Listener(Protocol):
    """Hears how the election goes; called from any thread of the elector, never under its lock."""

    def started(self) -> None:
        """Lead from now on."""
        ...

    def lost(self) -> None:
        """Lead no longer: stop at once, somebody else may lead in a moment."""
        ...

    def standby(self, holder: str) -> None:
        """Somebody else holds the Lease, another one than before."""
        ...

    def failed(self, error: KubeError) -> None:
        """A request failed; another try follows, except while the Lease is being released."""
        ...


class Elector:
    """One candidate for one Lease."""

    def __init__(
        self,
        api: Client,
        listener: Listener,
        *,
        namespace: str,
        name: str,
        identity: str,
        timing: Timing,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        rand: Callable[[], float] = random.random,
    ) -> None:
        """Be a candidate, once `run` is called.

        Args:
            api: the API server.
            listener: hears how it goes.
            namespace: of the Lease.
            name: of the Lease.
            identity: of this candidate alone and never used before.
            timing: valid times.
            clock: seconds, monotonic.
            wall: seconds since 1970.
            rand: uniform in [0, 1), for jitter.
        """
        self._api = api
        self._listener = listener
        self._place = (namespace, name)
        self._clock = clock
        self._wall = wall
        self._rand = rand
        self._changed = threading.Condition()
        self._state = ElectionState(identity, timing)
        self._identity = identity
        self._told_holder = ""
        self._woken = False
        self._stopping = False
        self._ended = threading.Event()

    def run(self) -> None:
        """Take part until `stop` is called or leadership is lost; the body of a thread."""
        try:
            while self._goes_on():
                self.attempt()
                self._wait()
            self.release()
        finally:
            self._ended.set()

    def guard(self) -> None:
        """Watch over the renew deadline until the end of `run`; the body of a thread."""
        with self._changed:
            while self._goes_on() and not self._state.is_over(self._clock()):
                self._changed.wait(self.seconds_left())
        self.check()

    def seconds_left(self) -> float | None:
        """Return after how many seconds without a renewal this leader stops; None if it is none."""
        with self._changed:
            return self._state.seconds_left(self._clock())

    def stop(self) -> None:
        """Leave the election and wait for that; a Lease that is ours is released.

        Whatever only a leader may do has to be over before.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._ended.wait()

    def saw(self, _old: JSON | None, new: JSON | None) -> None:
        """Take in a change of the Lease; a handler of kube.store.Store."""
        with self._changed:
            self._state.seen(new, self._clock())
            if not self._state.leading and self._state.is_free(self._clock()):
                self._woken = True
                self._changed.notify_all()
        self.check()

    def attempt(self) -> None:
        """Look at the Lease if need be, and take or renew it if that is allowed; never raises."""
        try:
            self._try_once()
        except Conflict:
            # Somebody wrote it, maybe this candidate by a request whose answer was lost.
            with suppress(KubeError):
                self._read()
            self._note_failure()
        except KubeError as error:
            self._note_failure()
            self._listener.failed(error)
        self.check()

    def check(self) -> None:
        """Stop leading if it has to be, and tell who leads instead."""
        with self._changed:
            lost = not self._state.is_out and self._state.is_over(self._clock())
            if lost:
                self._state.give_up()
                self._changed.notify_all()
            holder = self._state.holder
            news = holder not in ("", self._identity, self._told_holder)
            if news:
                self._told_holder = holder
        if lost:
            self._listener.lost()
        elif news:
            self._listener.standby(holder)

    def release(self) -> None:
        """Lead no longer and give the Lease back; `run` ends with it.

        Twice if need be: a renewal whose answer was lost may have come in between.
        """
        with self._changed:
            if self._state.is_out:
                return
            self._state.give_up()
        for _ in range(2):
            with self._changed:
                body = self._state.release(*self._place, self._wall())
            if body is None:
                return
            try:
                self._api.update(LEASES, body)
                return
            except Conflict:
                with suppress(KubeError):
                    self._read()
            except KubeError as error:
                self._listener.failed(error)
                return

    def _try_once(self) -> None:
        with self._changed:
            if self._state.is_over(self._clock()):
                return
            renewing = self._state.leading
        if not renewing:
            self._read()
        with self._changed:
            sent = self._clock()
            if self._state.is_out or not self._state.is_free(sent):
                return
            body = self._state.claim(*self._place, self._wall())
        stored = self._write(body)
        with self._changed:
            started = self._state.won(stored, sent, self._clock())
            self._changed.notify_all()
        if started:
            self._listener.started()

    def _read(self) -> None:
        namespace, name = self._place
        asked = self._clock()
        try:
            found: JSON | None = self._api.get(LEASES, name, namespace)
        except NotFound:
            found = None
        with self._changed:
            self._state.seen(found, self._clock(), asked)

    def _write(self, body: JSON) -> JSON:
        if "resourceVersion" not in body["metadata"]:
            return self._api.create(LEASES, body, self._place[0])
        try:
            return self._api.update(LEASES, body)
        except NotFound:
            with self._changed:
                self._state.seen(None, self._clock())
            raise

    def _note_failure(self) -> None:
        with self._changed:
            self._state.failed()

    def pause(self) -> float:
        """Return the seconds until the next attempt, if nothing comes in between."""
        with self._changed:
            return self._state.pause(self._clock(), self._rand())

    def _wait(self) -> None:
        pause = self.pause()
        with self._changed:
            self._changed.wait_for(lambda: self._woken or not self._goes_on(), pause)
            self._woken = False

    def _goes_on(self) -> bool:
        return not self._stopping and not self._state.is_out
