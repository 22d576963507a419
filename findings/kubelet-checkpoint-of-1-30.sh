#!/usr/bin/env bash
# A kubelet of 1.31 does not start on a node whose kubelet of 1.30 has run with claims enabled
#
# Version: k8s.io/kubernetes/pkg/kubelet/cm/dra/state v1.30.14 and v1.31.4; kubelet 1.30.14 and 1.31.4
#
# Expected: the kubelet of a node is upgraded by a minor version, after a drain or without one, and takes
# up what the older one has written, or begins anew.
#
# Seen: both keep the list of prepared claims in the same file, dra_manager_state, in formats that have
# nothing in common but the name of the checksum. So each finds the file of the other one corrupted, even
# if no claim is in it:
#   | written by v1.30.14, read by v1.30.14: 0 claims
#   | written by v1.30.14, read by v1.31.4: checkpoint is corrupted
#   | written by v1.31.4, read by v1.30.14: checkpoint is corrupted
#   | written by v1.31.4, read by v1.31.4: 0 claims
# The kubelet ends with that error ("failed to create claimInfo cache"), and does so whenever it is
# started again, until somebody deletes the file.
#
# Why it matters: the file is there on every node with the feature gate DynamicResourceAllocation, with or
# without a driver, and no drain removes it. Such a node does not come back from the upgrade, nor from
# going back. Delete <kubelet root>/dra_manager_state between the two, when no pod with claims is left.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# of 1.31, with what differs in 1.30 below
program() {
    cat <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/kubernetes/pkg/kubelet/cm/dra/state"
)

// show reads the file in a directory, which it makes if there is none.
func show(claims int, err error) {
	if err != nil {
		text := err.Error()
		fmt.Println(text[strings.LastIndex(text, ": ")+2:])
		return
	}
	fmt.Println(claims, "claims")
}

func main() {
GO
    case $1 in
        v1.30.14) cat <<'GO'
	keeper, err := state.NewCheckpointState(os.Args[1], "dra_manager_state")
	if err != nil {
		panic(err)
	}
	claims, err := keeper.GetOrCreate()
	show(len(claims), err)
}
GO
            ;;
        v1.31.4) cat <<'GO'
	keeper, err := state.NewCheckpointer(os.Args[1], "dra_manager_state")
	if err != nil {
		panic(err)
	}
	found, err := keeper.GetOrCreate()
	if err != nil {
		show(0, err)
		return
	}
	claims, err := found.GetClaimInfoStateList()
	show(len(claims), err)
}
GO
            ;;
    esac
}

for version in v1.30.14 v1.31.4; do
    mkdir "$work/$version"
    cd "$work/$version"
    program "$version" > main.go
    printf 'module finding\n\ngo 1.23\n\nrequire k8s.io/kubernetes %s\n\n' "$version" > go.mod
    # what Kubernetes replaces by folders of its repository
    kubernetes=$(go list -mod=mod -m -f '{{.GoMod}}' "k8s.io/kubernetes@$version")
    awk -v of="v0${version#v1}" '/=> .\/staging/ { print "replace", $1, "=>", $1, of }' "$kubernetes" >> go.mod
    GOFLAGS=-mod=mod go mod tidy > "$work/tidy" 2>&1 || { cat "$work/tidy"; exit 1; }
    go build -o "$work/read-$version" .
done

for writer in v1.30.14 v1.31.4; do
    for reader in v1.30.14 v1.31.4; do
        rm -rf "$work/node" && mkdir "$work/node"
        "$work/read-$writer" "$work/node" > /dev/null
        echo "written by $writer, read by $reader: $("$work/read-$reader" "$work/node" 2> /dev/null)"
    done
done | tee "$work/seen"

sed -n 's/^#   | //p' "$self" | diff - "$work/seen" && echo "as written"
