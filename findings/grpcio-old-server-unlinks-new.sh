#!/usr/bin/env bash
# A grpcio server that stops takes away the socket of the server that has replaced it
#
# Version: grpcio 1.85.1
#
# Expected: a server listens on a Unix socket. Another process starts, binds the same path, which grpcio
# allows, and gets the calls from then on. When the old server stops, it cleans
# up after itself: its socket is no longer at that path, so there is nothing to remove.
#
# Seen: stopping the old server removes the file of the new one, gracefully or not. The new server
# runs on and can still be reached by who is connected, but by nobody else, and is not told. If the
# old process is killed instead, the new one stays reachable.
#   | old process serves: old
#   | new process has bound the same path: new
#   | old process has ended (stop(0)): UNAVAILABLE, socket file there: False
#   | a client that was connected before: new
#   | old process has ended (stop(5)): UNAVAILABLE, socket file there: False
#   | old process has ended (killed): new, socket file there: True
#
# Why it matters: it is the order of a rolling update with a surge: first the new pod of a kubelet
# plugin, then the end of the old one. With a fixed socket name every clean update leaves a plugin
# that runs, passes a check of its own process, and is never called again. Use a name for each
# instance, or let the old one end first.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check grpcio==1.85.1

cat > server.py <<'PY'
"""Answers every call with its name, until a line on standard input says how to stop."""

import sys
from concurrent import futures

import grpc

name = sys.argv[1]
server = grpc.server(futures.ThreadPoolExecutor(2))
who = grpc.unary_unary_rpc_method_handler(lambda request, context: name.encode())
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Plugin", {"Who": who}),))
server.add_insecure_port("unix:plugin.sock")
server.start()
print("serving", flush=True)
server.stop(float(sys.stdin.readline())).wait()
PY

cat > finding.py <<'PY'
import os
import subprocess
import sys

import grpc


def start(name):
    process = subprocess.Popen(
        [sys.executable, "server.py", name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    assert process.stdout.readline() == "serving\n"
    return process


def stop(process, grace):
    if grace is None:
        process.kill()
    else:
        process.stdin.write(f"{grace}\n")
        process.stdin.flush()
    process.wait()


def ask(channel):
    try:
        return channel.unary_unary("/Plugin/Who")(b"", timeout=5).decode()
    except grpc.RpcError as error:
        return error.code().name


def connect():
    return grpc.insecure_channel("unix:plugin.sock", [("grpc.use_local_subchannel_pool", 1)])


def ask_anew():
    with connect() as channel:
        return ask(channel)


def replace(grace, text, *, tell):
    old = start("old")
    if tell:
        print("old process serves:", ask_anew())
    new = start("new")
    connected = connect()
    before = ask(connected)
    if tell:
        print("new process has bound the same path:", before)
    stop(old, grace)
    there = os.path.exists("plugin.sock")
    print(f"old process has ended ({text}): {ask_anew()}, socket file there: {there}")
    if tell:
        print("a client that was connected before:", ask(connected))
    stop(new, 0)


replace(0, "stop(0)", tell=True)
replace(5, "stop(5)", tell=False)
replace(None, "killed", tell=False)
PY

venv/bin/pip list --disable-pip-version-check 2> /dev/null | grep '^grpcio '
venv/bin/python finding.py | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
