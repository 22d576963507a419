#!/usr/bin/env bash
set -euo pipefail

USAGE='Usage: demo/build-driver.sh

Builds the image of the driver with docker, and loads it into the kind cluster if there is one.

Environment:
  DRIVER_IMAGE        name and tag of the image (fake-dra-driver:<appVersion of the chart>)
  BASE_IMAGE          image to build on, with Python 3.11 or newer (that of the Dockerfile)
  PIP_INDEX_URL       package index to install from (that of pip)
  KIND_CLUSTER_NAME   name of the cluster (fake-dra-driver-cluster)'

# shellcheck source-path=SCRIPTDIR source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"
no_arguments "$USAGE" "$@"
need_docker

arguments=(--tag "$DRIVER_IMAGE" --build-arg "VERSION=${DRIVER_IMAGE##*:}")
if revision=$(git -C "$ROOT" rev-parse HEAD 2>/dev/null); then
    arguments+=(--build-arg "REVISION=$revision")
fi
for name in BASE_IMAGE PIP_INDEX_URL; do
    if [[ -n "${!name:-}" ]]; then
        arguments+=(--build-arg "$name=${!name}")
    fi
done
docker build "${arguments[@]}" "$ROOT"

if command -v kind >/dev/null && cluster_exists; then
    load_image
else
    echo "built $DRIVER_IMAGE; demo/create-cluster.sh loads it into a new cluster"
fi
