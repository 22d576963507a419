#!/bin/sh
# Generates the _pb2 modules and their type stubs beside the .proto files.
#
# An old generator on purpose: code of grpcio-tools 1.78.0 loads on every protobuf from 6.31.1 on,
# while code of a newer one refuses older runtimes. It needs another protobuf than the project
# has, so it is installed into an environment of its own, which is removed at the end.
#
#   PROTO_PYTHON   a Python that has grpcio-tools already; nothing is installed then
set -eu
cd "$(dirname "$0")/../../.."

if [ -z "${PROTO_PYTHON:-}" ]; then
    environment=$(mktemp -d)
    trap 'rm -rf "$environment"' EXIT
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check grpcio-tools==1.78.0
    PROTO_PYTHON=$environment/bin/python
fi

"$PROTO_PYTHON" -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. \
    dra/kubelet/protocol/pluginregistration.proto \
    dra/kubelet/protocol/dra_v1alpha2.proto \
    dra/kubelet/protocol/dra_v1alpha3.proto \
    dra/kubelet/protocol/dra_v1.proto \
    dra/kubelet/protocol/dra_health.proto \
    devcluster/apiserver/openapiv2.proto \
    api/protobuf/*.proto

# the generator writes Mapping without its types, **kwargs for names that Python keeps for itself,
# and types that fields of a message hide: mypy --strict refuses all of them
for stub in dra/kubelet/protocol/*_pb2.pyi devcluster/apiserver/*_pb2.pyi api/protobuf/*_pb2.pyi; do
    sed -i '1i # mypy: disable-error-code="type-arg, no-untyped-def, valid-type"' "$stub"
done
