#!/usr/bin/env bash
# cel.bind and optMap after an exists() that ends early see the loop's variable instead of their own
#
# Version: cel-expr-python 0.1.3 (Google's CEL for C++, with its extensions bindings and optional)
#
# Expected: `cel.bind(name, value, expression)` evaluates the expression with `name` as the value, and
# `optMap(name, ...)` likewise, wherever they stand. CEL in Go, which Kubernetes uses, does so.
#
# Seen: if a loop has ended before its last element, a variable that is named later in the same
# expression is the last element that the loop looked at. There is no error, but the wrong answer:
#   | wrong  [1, 2].exists(c, c == 1) && cel.bind(own, 'a', own == 'a')
#   | right  [1, 2].exists(c, c == 2) && cel.bind(own, 'a', own == 'a')
#   | right  cel.bind(own, 'a', own == 'a') && [1, 2].exists(c, c == 1)
#   | right  cel.bind(own, 'a', own == 'a' && [1, 2].exists(c, c == 1))
#   | wrong  [1, 2].exists(c, c == 1) && optional.of(5).optMap(v, v + 1).orValue(0) == 6
#   | right  [1, 2].exists(c, c == 1) && [3].exists(d, d == 3)
# Where the loop goes over a map, whether it ends early depends on the map's order, which differs from
# one process to the next: the same expression on the same data is true in one process and false, or an
# error, in another one.
#
# Why it matters: a selector that asks whether a device has some attribute, and then names the device's
# attributes by cel.bind to compare several of them, is an ordinary one. Whoever evaluates selectors
# with this library, to explain or to simulate a scheduler, tells other devices than kube-scheduler
# takes. Do without names in expressions with all() or exists(), or put them first.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check cel-expr-python==0.1.3

cat > "$work/evaluate.py" <<'PY'
from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_optional

env = cel.NewEnv(extensions=[ext_bindings.ExtBindings(), ext_optional.ExtOptional()])
for expression in (  # each of them is true
    "[1, 2].exists(c, c == 1) && cel.bind(own, 'a', own == 'a')",
    "[1, 2].exists(c, c == 2) && cel.bind(own, 'a', own == 'a')",
    "cel.bind(own, 'a', own == 'a') && [1, 2].exists(c, c == 1)",
    "cel.bind(own, 'a', own == 'a' && [1, 2].exists(c, c == 1))",
    "[1, 2].exists(c, c == 1) && optional.of(5).optMap(v, v + 1).orValue(0) == 6",
    "[1, 2].exists(c, c == 1) && [3].exists(d, d == 3)",
):
    found = env.compile(expression).eval(data={}).plain_value()
    print("right " if found is True else "wrong ", expression)
PY
"$work/venv/bin/python" "$work/evaluate.py" | tee "$work/seen"

sed -n 's/^#   | //p' "$self" | diff - "$work/seen" && echo "as written"
