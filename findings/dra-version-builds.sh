#!/usr/bin/env bash
# A selector cannot tell builds of one version apart, and matchAttribute takes them for different versions
#
# Version: k8s.io/dynamic-resource-allocation v0.37.2, features as in kube-scheduler 1.37
#
# Expected: attributes of type version follow semver 2.0.0, by which a version may end in the name of a
# build: 12.4.1+r550. Versions that are the same for a selector are the same for the constraints
# matchAttribute and distinctAttribute; or both go by the whole value.
#
# Seen: for CEL a version equals every other build of it and the one without a build, by ==, != and `in`
# as by compareTo, and it cannot be made a string: so a claim that asks for one build gets another. The
# constraints compare the strings, so devices of different builds never match, and count as distinct. A
# comment in the allocator says that equal versions are written the same, which is not so for builds.
#   | v is 12.4.1+r550
#   | v == semver("12.4.1+r550")                  true
#   | v == semver("12.4.1+r560")                  true
#   | v != semver("12.4.1+r560")                  false
#   | v in [semver("12.4.1+r560")]                true
#   | v.compareTo(semver("12.4.1+r560")) == 0     true
#   | v == semver("12.4.1")                       true
#   | v == semver("12.4.1-r560")                  false
#   | string(v) == "12.4.1+r560"                  no such overload: string(kubernetes.Semver)
#   | gpu-0 12.4.1+r550, gpu-1 12.4.1+r550, v == semver("12.4.1+r560"):
#   |   one: gpu-0; two: gpu-0 gpu-1; two, matchAttribute: gpu-0 gpu-1; two, distinctAttribute: nothing
#   | gpu-0 12.4.1+r550, gpu-1 12.4.1+r560, v == semver("12.4.1+r560"):
#   |   one: gpu-0; two: gpu-0 gpu-1; two, matchAttribute: nothing; two, distinctAttribute: gpu-0 gpu-1
#   | gpu-0 12.4.1, gpu-1 12.4.1+r560, v == semver("12.4.1+r560"):
#   |   one: gpu-0; two: gpu-0 gpu-1; two, matchAttribute: nothing; two, distinctAttribute: gpu-0 gpu-1
#
# Why it matters: a driver that publishes what its firmware says, build included, offers a value that no
# selector can ask for. After an update of some nodes or cards to another build, claims with
# matchAttribute wait for pairs that the selectors of the same claim call equal. Publish the version
# without its build, and the build as an attribute of its own, as a string.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > go.mod <<'MOD'
module finding

go 1.26

require k8s.io/dynamic-resource-allocation v0.37.2
MOD

cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured"
)

const driver, published, wanted = "gpu.example.com", "12.4.1+r550", "12.4.1+r560"

// features are those that kube-scheduler 1.37 has on by default.
var (
	features = structured.Features{
		AdminAccess: true, ConsumableCapacity: true, DeviceBindingAndStatus: true, DeviceTaints: true,
		PartitionableDevices: true, PrioritizedList: true,
	}
	celFeatures = cel.Features{EnableConsumableCapacity: true}
)

type anyDevice struct{}

func (anyDevice) List() ([]*resourceapi.DeviceClass, error) { return nil, nil }

func (anyDevice) Get(name string) (*resourceapi.DeviceClass, error) {
	return &resourceapi.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func device(name, version string) resourceapi.Device {
	attributes := map[resourceapi.QualifiedName]resourceapi.DeviceAttribute{"v": {VersionValue: &version}}
	return resourceapi.Device{Name: name, Attributes: attributes}
}

// full writes the attribute in an expression as a claim has to.
func full(expression string) string {
	return regexp.MustCompile(`\bv\b`).ReplaceAllString(expression, `device.attributes["`+driver+`"].v`)
}

// matches compiles an expression as for a new object, and gives it one device.
func matches(expression, version string) string {
	kind := environment.NewExpressions
	compiled := cel.GetCompiler(celFeatures).CompileCELExpression(full(expression), cel.Options{EnvType: &kind})
	if compiled.Error != nil {
		return compiled.Error.Error()
	}
	found, _, err := compiled.DeviceMatches(context.Background(),
		cel.Device{Driver: driver, Attributes: device("device", version).Attributes})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(found)
}

// allocate asks for the wanted version on a node with a device of each of the versions.
func allocate(versions []string, count int64, constraints ...resourceapi.DeviceConstraint) string {
	ctx, name := context.Background(), "node"
	slice := &resourceapi.ResourceSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "slice"},
		Spec: resourceapi.ResourceSliceSpec{
			Driver: driver, NodeName: &name,
			Pool: resourceapi.ResourcePool{Name: "pool", Generation: 1, ResourceSliceCount: 1},
		},
	}
	for i, version := range versions {
		slice.Spec.Devices = append(slice.Spec.Devices, device(fmt.Sprint("gpu-", i), version))
	}
	claim := &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "claim"}}
	claim.Spec.Devices.Requests = []resourceapi.DeviceRequest{{Name: "gpu",
		Exactly: &resourceapi.ExactDeviceRequest{
			DeviceClassName: "gpu", AllocationMode: resourceapi.DeviceAllocationModeExactCount, Count: count,
			Selectors: []resourceapi.DeviceSelector{
				{CEL: &resourceapi.CELDeviceSelector{Expression: full(`v == semver("` + wanted + `")`)}},
			},
		}}}
	claim.Spec.Devices.Constraints = constraints
	allocator, err := structured.NewAllocator(ctx, features, structured.AllocatedState{}, anyDevice{},
		[]*resourceapi.ResourceSlice{slice}, cel.NewCache(10, celFeatures))
	must(err)
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	results, err := allocator.Allocate(ctx, node, []*resourceapi.ResourceClaim{claim})
	must(err)
	if len(results) == 0 {
		return "nothing"
	}
	var names []string
	for _, result := range results[0].Devices.Results {
		names = append(names, result.Device)
	}
	return strings.Join(names, " ")
}

func main() {
	fmt.Println("v is", published)
	for _, expression := range []string{
		`v == semver("12.4.1+r550")`, `v == semver("12.4.1+r560")`, `v != semver("12.4.1+r560")`,
		`v in [semver("12.4.1+r560")]`, `v.compareTo(semver("12.4.1+r560")) == 0`,
		`v == semver("12.4.1")`, `v == semver("12.4.1-r560")`, `string(v) == "12.4.1+r560"`,
	} {
		fmt.Printf("%-43s %s\n", expression, matches(expression, published))
	}
	name := resourceapi.FullyQualifiedName(driver + "/v")
	match := resourceapi.DeviceConstraint{MatchAttribute: &name}
	distinct := resourceapi.DeviceConstraint{DistinctAttribute: &name}
	for _, versions := range [][]string{
		{"12.4.1+r550", "12.4.1+r550"}, {"12.4.1+r550", "12.4.1+r560"}, {"12.4.1", "12.4.1+r560"},
	} {
		fmt.Printf("gpu-0 %s, gpu-1 %s, v == semver(%q):\n", versions[0], versions[1], wanted)
		fmt.Printf("  one: %s; two: %s; ", allocate(versions, 1), allocate(versions, 2))
		fmt.Printf("two, matchAttribute: %s; two, distinctAttribute: %s\n",
			allocate(versions, 2, match), allocate(versions, 2, distinct))
	}
}
GO

go build -mod=mod -o program .
go list -m k8s.io/dynamic-resource-allocation
./program | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
