#!/usr/bin/env bash
set -euo pipefail

USAGE='Usage: demo/create-cluster.sh

Creates a kind cluster with classic Dynamic Resource Allocation: one control plane, one worker.
Loads the image of the driver into it if demo/build-driver.sh has built it.

Environment:
  K8S_VERSION         Kubernetes of the nodes, 1.27 to 1.30, with its patch (1.30.13)
  KIND_IMAGE          image of the nodes (kindest/node of that version)
  KIND_CLUSTER_NAME   name of the cluster (fake-dra-driver-cluster)
  DRIVER_IMAGE        name and tag of the image (fake-dra-driver:<appVersion of the chart>)'

# shellcheck source-path=SCRIPTDIR source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"
no_arguments "$USAGE" "$@"
[[ "$K8S_VERSION" =~ ^1\.(27|28|29|30)\.[0-9]+$ ]] ||
    die "K8S_VERSION=$K8S_VERSION: give 1.27 to 1.30 with its patch, such as 1.30.13" 2
need_docker
need_kind
need kubectl "see https://kubernetes.io/docs/tasks/tools/"
if cluster_exists; then
    die "the cluster $KIND_CLUSTER_NAME exists; demo/delete-cluster.sh deletes it"
fi

kind create cluster \
    --name "$KIND_CLUSTER_NAME" \
    --image "$KIND_IMAGE" \
    --config "$ROOT/demo/scripts/kind-cluster-config.yaml" \
    --wait 2m
kubectl --context "kind-$KIND_CLUSTER_NAME" get --raw /apis/resource.k8s.io/v1alpha2 >/dev/null ||
    die "the cluster does not serve resource.k8s.io/v1alpha2; delete it, and try another K8S_VERSION"

if image_exists; then
    load_image
else
    echo "there is no image $DRIVER_IMAGE yet; demo/build-driver.sh builds and loads it"
fi
cat <<END
Install the driver with
  helm upgrade -i --create-namespace --namespace fake-system fake-dra-driver $ROOT/deploy/helm/fake-dra-driver
END
