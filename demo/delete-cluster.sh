#!/usr/bin/env bash
set -euo pipefail

USAGE='Usage: demo/delete-cluster.sh

Deletes the kind cluster that demo/create-cluster.sh created. The image of the driver stays.

Environment:
  KIND_CLUSTER_NAME   name of the cluster (fake-dra-driver-cluster)'

# shellcheck source-path=SCRIPTDIR source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"
no_arguments "$USAGE" "$@"
need_docker
need_kind

if cluster_exists; then
    kind delete cluster --name "$KIND_CLUSTER_NAME"
else
    echo "there is no cluster $KIND_CLUSTER_NAME"
fi
