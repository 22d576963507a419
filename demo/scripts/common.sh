# shellcheck shell=bash
# Settings and helpers of the kind scripts; sourced, never run. Every setting may come from the
# environment.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
: "${KIND_CLUSTER_NAME:=fake-dra-driver-cluster}"
: "${K8S_VERSION:=1.30.13}"
: "${KIND_IMAGE:=kindest/node:v${K8S_VERSION}}"
: "${DRIVER_IMAGE:=fake-dra-driver:$(sed -n 's/^appVersion: "\(.*\)"$/\1/p' "$ROOT/deploy/helm/fake-dra-driver/Chart.yaml")}"

die() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit "${2:-1}"
}

# no_arguments USAGE [ARG...]: prints USAGE for --help, and refuses anything else.
no_arguments() {
    local usage=$1
    shift
    case "${1:-}" in
        "") ;;
        -h | --help)
            printf '%s\n' "$usage"
            exit 0
            ;;
        *) die "unknown argument '$1'; see --help" 2 ;;
    esac
}

# need TOOL REMEDY
need() {
    command -v "$1" >/dev/null || die "$1 is not installed; $2"
}

need_docker() {
    need docker "see https://docs.docker.com/engine/install/"
    docker info >/dev/null 2>&1 ||
        die "the docker daemon does not answer; start it, and check that you may use it: docker info"
}

need_kind() {
    need kind "see https://kind.sigs.k8s.io/docs/user/quick-start/#installation"
}

cluster_exists() {
    kind get clusters 2>/dev/null | grep -qxF "$KIND_CLUSTER_NAME"
}

image_exists() {
    docker image inspect "$DRIVER_IMAGE" >/dev/null 2>&1
}

load_image() {
    echo "loading $DRIVER_IMAGE into the nodes of $KIND_CLUSTER_NAME"
    kind load docker-image --name "$KIND_CLUSTER_NAME" "$DRIVER_IMAGE"
}
