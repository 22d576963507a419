import subprocess
import sys
import threading
from queue import SimpleQueue

from dra.kubelet.threads import IDLE, Threads

SECONDS = 10.0


def test_thread_is_used_again() -> None:
    threads, names = Threads(), SimpleQueue[int]()
    found = set()
    for _ in range(50):
        threads.run(lambda: names.put(threading.get_ident()))
        found.add(names.get(timeout=SECONDS))
    # the next job may come before the last thread is idle
    assert len(found) < 50


def test_jobs_wait_for_no_other_and_few_threads_stay() -> None:
    threads, count = Threads(), 2 * IDLE
    together, over = threading.Barrier(count + 1), threading.Barrier(count + 1)

    def job() -> None:
        together.wait(SECONDS)
        started.append(threading.current_thread())
        over.wait(SECONDS)

    started: list[threading.Thread] = []
    for _ in range(count):
        threads.run(job)
    together.wait(SECONDS)
    over.wait(SECONDS)
    ended = [thread for thread in started if not _lasts(thread)]
    assert len(set(started)) == count
    assert len(ended) == count - IDLE


def _lasts(thread: threading.Thread) -> bool:
    thread.join(0.2)
    return thread.is_alive()


def test_program_ends_while_a_job_hangs() -> None:
    hangs = (
        "import threading; from dra.kubelet.threads import Threads; "
        "Threads().run(threading.Event().wait)"
    )
    subprocess.run([sys.executable, "-c", hangs], check=True, timeout=SECONDS)
