#!/usr/bin/env bash
# A DeviceClass that was last written on Kubernetes 1.31 ends every list of DeviceClasses on 1.34
#
# Version: k8s.io/api v0.31.14, v0.32.13, v0.33.13 and v0.34.9; kube-apiserver 1.31.4 and 1.34.9
#
# Expected: classes that were made on 1.31 are served by 1.32 as v1beta1, without anybody having to do
# something, and by 1.33 likewise. Once the cluster is on 1.34, where resource.k8s.io/v1 is on by
# default, they are there as v1.
#
# Seen: API servers read an object in the version that it was stored in, and write it anew only when
# somebody changes it. Classes are hardly ever changed, so after two upgrades they are still stored as
# v1alpha3. 1.32 and 1.33 register that kind, and 1.34 has dropped it:
#   | v0.31.14: resource.k8s.io/v1alpha3 DeviceClass is read
#   | v0.32.13: resource.k8s.io/v1alpha3 DeviceClass is read
#   | v0.33.13: resource.k8s.io/v1alpha3 DeviceClass is read
#   | v0.34.9: no kind "DeviceClass" is registered for version "resource.k8s.io/v1alpha3"
# A kube-apiserver 1.34.9 over the etcd of a 1.31.4 with one class answers every list of DeviceClasses
# with that error, those of other drivers included, and its cache never gets ready. `kubectl delete`
# of the one class fails as well, as it has to be read first.
#
# Why it matters: one class that an administrator forgot takes the classes of all drivers away from the
# scheduler, and no API call gets rid of it. Write all objects of resource.k8s.io once while the cluster
# is on 1.32 or 1.33 (`kubectl get deviceclasses -o json | kubectl replace -f -`), or let the driver
# renew its own.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/main.go" <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	resourceapi "k8s.io/api/resource/v1alpha3"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

const stored = `{"apiVersion":"resource.k8s.io/v1alpha3","kind":"DeviceClass",
"metadata":{"name":"gpu.example.com"},"spec":{}}`

func main() {
	scheme := runtime.NewScheme()
	if err := resourceapi.AddToScheme(scheme); err != nil {
		panic(err)
	}
	codecs := serializer.NewCodecFactory(scheme)
	_, kind, err := codecs.UniversalDeserializer().Decode([]byte(stored), nil, nil)
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), " in scheme")
		fmt.Printf("%s: %s\n", os.Args[1], text)
		return
	}
	fmt.Printf("%s: %s %s is read\n", os.Args[1], kind.GroupVersion(), kind.Kind)
}
GO

for version in v0.31.14 v0.32.13 v0.33.13 v0.34.9; do
    mkdir "$work/$version"
    cp "$work/main.go" "$work/$version/"
    cd "$work/$version"
    cat > go.mod <<MOD
module finding

go 1.24

require (
	k8s.io/api $version
	k8s.io/apimachinery $version
)
MOD
    GOFLAGS=-mod=mod go mod tidy > "$work/tidy" 2>&1 || { cat "$work/tidy"; exit 1; }
    go run . "$version"
done | tee "$work/seen"

sed -n 's/^#   | //p' "$self" | diff - "$work/seen" && echo "as written"
