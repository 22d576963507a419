#!/usr/bin/env bash
# A new grpcio channel to a socket that was replaced still calls who had it before, and its stopped server
#
# Version: grpcio 1.85.3
#
# Expected: a client that wants to know who serves a Unix socket now opens a channel to it. The file of
# the socket was removed and made anew by another server since, so that server answers. A call to it
# has nothing to do with the end of the former server, which nobody can reach any more.
#
# Seen: as long as any channel of the process is connected to that path, a channel that is made later
# has the same connection, and its calls get to the former server, for as long as that lives: the path
# is the whole key. Each channel with the option grpc.use_local_subchannel_pool has its own connection.
# Closing the other channel, or an end of the former server, brings the new channel to the new one.
#   | first server, first channel: first
#   | socket made anew by a second server, first channel: first
#   | a new channel: first
#   | a new channel with a pool of its own: second
#   | a new channel after the others are closed: second
#   | a new channel after the first server has ended: second
#
# Why it matters: a kubelet plugin is called over such sockets, and its socket is replaced at each update. A
# test, a health check or a simulated kubelet in Python that opens a channel for each look takes that
# for a look at the socket, and is told by the old plugin that all is well, though a kubelet, which
# has no connection yet, reaches another or nobody. Give each such channel a pool of its own.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check grpcio==1.85.3

cat > finding.py <<'PY'
import os
from concurrent import futures

import grpc

PATH = "plugin.sock"


def serve(name):
    server = grpc.server(futures.ThreadPoolExecutor(2))
    who = grpc.unary_unary_rpc_method_handler(lambda request, context: name.encode())
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Plugin", {"Who": who}),))
    # made under another name, so that no server removes the socket of the other
    server.add_insecure_port(f"unix:{name}.sock")
    server.start()
    os.rename(f"{name}.sock", PATH)
    return server


def channel(*options):
    return grpc.insecure_channel(f"unix:{PATH}", options)


def who(channel):
    return channel.unary_unary("/Plugin/Who")(b"", timeout=10, wait_for_ready=True).decode()


def ask(about, *options):
    with channel(*options) as new:
        print(f"{about}: {who(new)}")


def replaced():
    """Return two servers, of which the first was replaced, and a channel from before that."""
    first = serve("first")
    former = channel()
    assert who(former) == "first"
    os.unlink(PATH)
    return first, serve("second"), former


first, second, former = replaced()
print("first server, first channel: first")
print(f"socket made anew by a second server, first channel: {who(former)}")
ask("a new channel")
ask("a new channel with a pool of its own", ("grpc.use_local_subchannel_pool", 1))
former.close()
ask("a new channel after the others are closed")
for server in (first, second):
    server.stop(0).wait()

first, second, former = replaced()
first.stop(0).wait()
ask("a new channel after the first server has ended")
former.close()
second.stop(0).wait()
PY
venv/bin/python finding.py | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
