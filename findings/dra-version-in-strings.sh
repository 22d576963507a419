#!/usr/bin/env bash
# `version in ["1.0.0"]` of a version attribute is an error that neither || nor && catches
#
# Version: k8s.io/dynamic-resource-allocation v0.37.2, features as in kube-scheduler 1.37
#
# Expected: values of different types are not equal in CEL, and none of them is in a list of the other
# type. So a selector that compares a version attribute with strings by mistake selects nothing; or it
# is refused when the claim is created; and where one side of `||` is true, an error on the other side
# does not count. `v in [x]` is the same as `v == x`.
#
# Seen: every expression below compiles as in the API server, which does not know the type of an
# attribute. What a version then does depends on the spelling. On the left of == it is an error, on the
# left of != and on the right of == it is not. In a list of literals it is an error of another kind: the
# list is made a table beforehand, and a version cannot be looked up in one. This error ends the
# evaluation, so `|| true` and `&& false` do not help as they do with ==. One element that is not a
# literal, such as device.driver, makes it a plain false. Strings and integers have none of this.
#   | v is a string, an integer, a version; overload: no such overload
#   | unhashable: internal error: runtime error: hash of unhashable type cel.Semver
#   | v == "1.0.0"                              true   false  overload
#   | "1.0.0" == v                              true   false  false
#   | v != "1.0.0"                              false  true   true
#   | v == "1.0.0" || true                      true   true   true
#   | v == "1.0.0" && false                     false  false  false
#   | ["1.0.0"].exists(s, v == s)               true   false  overload
#   | ["1.0.0"].exists(s, s == v)               true   false  false
#   | v in ["1.0.0"]                            true   false  unhashable
#   | v in {"1.0.0": true}                      true   false  unhashable
#   | v in ["1.0.0", device.driver]             true   false  false
#   | v in ["1.0.0"] || true                    true   true   unhashable
#   | v in ["1.0.0"] && false                   false  false  unhashable
#   | true || v in ["1.0.0"]                    true   true   true
#   | type(v) == string && v in ["1.0.0"]       true   false  false
#   | v == semver("1.0.0")                      false  false  true
#   | v in [semver("1.0.0")]                    false  false  true
#   | Nodes with a device of string 1.0.0, version 1.0.0, version 3.0.0:
#   | v in ["1.0.0"] || v in [semver("1.0.0")]
#   |   device, error for all nodes, error for all nodes
#   | v in [semver("1.0.0")] || v in ["1.0.0"]
#   |   device, device, error for all nodes
#   | type(v) == string ? v in ["1.0.0"] : v in [semver("1.0.0")]
#   |   device, device, nothing
#
# Why it matters: Allocate says in its documentation that a scheduler should give up after such an error
# rather than try other nodes. A driver that turns an attribute from a string into a version, node by
# node, can so stop every claim that lists the accepted strings, while devices of the old kind are free;
# and to accept both with `||` fails on a version that is in neither list, in either order. Ask for the
# type first, as in the last expression.
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
	"errors"
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

const (
	driver     = "gpu.example.com"
	overload   = "no such overload"
	unhashable = "internal error: runtime error: hash of unhashable type cel.Semver"
)

// features are those that kube-scheduler 1.37 has on by default.
var (
	features = structured.Features{
		AdminAccess: true, ConsumableCapacity: true, DeviceBindingAndStatus: true, DeviceTaints: true,
		PartitionableDevices: true, PrioritizedList: true,
	}
	celFeatures = cel.Features{EnableConsumableCapacity: true}
)

var (
	text      = "1.0.0"
	other     = "3.0.0"
	number    = int64(1)
	asString  = resourceapi.DeviceAttribute{StringValue: &text}
	asInteger = resourceapi.DeviceAttribute{IntValue: &number}
	asVersion = resourceapi.DeviceAttribute{VersionValue: &text}
	asAnother = resourceapi.DeviceAttribute{VersionValue: &other}
)

type anyDevice struct{}

func (anyDevice) List() ([]*resourceapi.DeviceClass, error) { return nil, nil }

func (anyDevice) Get(name string) (*resourceapi.DeviceClass, error) {
	return &resourceapi.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

type named = map[resourceapi.QualifiedName]resourceapi.DeviceAttribute

// full writes the attribute in an expression as a claim has to.
func full(expression string) string {
	return regexp.MustCompile(`\bv\b`).ReplaceAllString(expression, `device.attributes["`+driver+`"].v`)
}

// matches compiles an expression as for a new object, and gives it one device.
func matches(expression string, attribute resourceapi.DeviceAttribute) string {
	kind := environment.NewExpressions
	compiled := cel.GetCompiler(celFeatures).CompileCELExpression(full(expression), cel.Options{EnvType: &kind})
	if compiled.Error != nil {
		return compiled.Error.Error()
	}
	found, _, err := compiled.DeviceMatches(
		context.Background(), cel.Device{Driver: driver, Attributes: named{"v": attribute}})
	switch {
	case err == nil:
		return fmt.Sprint(found)
	case err.Error() == overload:
		return "overload"
	case err.Error() == unhashable:
		return "unhashable"
	}
	return err.Error()
}

// allocate returns the device of a node that a claim with the expression gets.
func allocate(expression string, attribute resourceapi.DeviceAttribute) string {
	ctx, name := context.Background(), "node"
	slice := &resourceapi.ResourceSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "slice"},
		Spec: resourceapi.ResourceSliceSpec{
			Driver: driver, NodeName: &name,
			Pool:    resourceapi.ResourcePool{Name: "pool", Generation: 1, ResourceSliceCount: 1},
			Devices: []resourceapi.Device{{Name: "device", Attributes: named{"v": attribute}}},
		},
	}
	claim := &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "claim"}}
	claim.Spec.Devices.Requests = []resourceapi.DeviceRequest{{Name: "gpu",
		Exactly: &resourceapi.ExactDeviceRequest{
			DeviceClassName: "gpu", AllocationMode: resourceapi.DeviceAllocationModeExactCount, Count: 1,
			Selectors: []resourceapi.DeviceSelector{
				{CEL: &resourceapi.CELDeviceSelector{Expression: full(expression)}},
			},
		}}}
	allocator, err := structured.NewAllocator(ctx, features, structured.AllocatedState{}, anyDevice{},
		[]*resourceapi.ResourceSlice{slice}, cel.NewCache(10, celFeatures))
	if err != nil {
		return err.Error()
	}
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	results, err := allocator.Allocate(ctx, node, []*resourceapi.ResourceClaim{claim})
	if err != nil {
		// After this error kube-scheduler goes on with other nodes, after others it does not.
		if errors.Is(err, structured.ErrFailedAllocationOnNode) {
			return "error for this node"
		}
		return "error for all nodes"
	}
	if len(results) == 0 {
		return "nothing"
	}
	return results[0].Devices.Results[0].Device
}

func main() {
	fmt.Println("v is a string, an integer, a version; overload:", overload)
	fmt.Println("unhashable:", unhashable)
	for _, expression := range []string{
		`v == "1.0.0"`, `"1.0.0" == v`, `v != "1.0.0"`, `v == "1.0.0" || true`, `v == "1.0.0" && false`,
		`["1.0.0"].exists(s, v == s)`, `["1.0.0"].exists(s, s == v)`,
		`v in ["1.0.0"]`, `v in {"1.0.0": true}`, `v in ["1.0.0", device.driver]`,
		`v in ["1.0.0"] || true`, `v in ["1.0.0"] && false`, `true || v in ["1.0.0"]`,
		`type(v) == string && v in ["1.0.0"]`, `v == semver("1.0.0")`, `v in [semver("1.0.0")]`,
	} {
		fmt.Println(strings.TrimSpace(fmt.Sprintf("%-41s %-6s %-6s %s", expression,
			matches(expression, asString), matches(expression, asInteger), matches(expression, asVersion))))
	}
	fmt.Println("Nodes with a device of string 1.0.0, version 1.0.0, version 3.0.0:")
	for _, expression := range []string{
		`v in ["1.0.0"] || v in [semver("1.0.0")]`, `v in [semver("1.0.0")] || v in ["1.0.0"]`,
		`type(v) == string ? v in ["1.0.0"] : v in [semver("1.0.0")]`,
	} {
		fmt.Printf("%s\n  %s, %s, %s\n", expression,
			allocate(expression, asString), allocate(expression, asVersion), allocate(expression, asAnother))
	}
}
GO

go build -mod=mod -o program .
go list -m k8s.io/dynamic-resource-allocation
./program | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
