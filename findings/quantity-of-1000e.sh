#!/usr/bin/env bash
# The quantity "1000E" is a thousand exa in memory, and 1 once it has been written and read
#
# Version: k8s.io/apimachinery, k8s.io/api and k8s.io/dynamic-resource-allocation v0.37.2
#
# Expected: a quantity keeps its value when an object is written and read again. The documentation of
# Quantity says that none may be above 2^63-1 and that a larger one is capped, so at worst 1000E
# becomes that number.
#
# Seen: sizes with a binary suffix are capped, those with a decimal suffix or with none are not.
# They are parsed and compared in full, and most of them are also written in full. A multiple of 10^21
# is not: the largest suffix is E, and a larger power of ten that is left over is not written at all.
# 1001E stays what it is, next to 1000E and 2000E, which become 1 and 2. JSON and protobuf do the same,
# and so does a sum of two valid quantities. With an exponent nothing is lost. Kubernetes has the loss as
# issue 141249; this release has it still.
#   | v0.37.2: what was parsed, what JSON and protobuf give, compared with what was parsed
#   | 8Ei:                    9223372036854775807    9223372036854775807    equal, equal
#   | 1000Ei:                 9223372036854775807    9223372036854775807    equal, equal
#   | 10E:                    10E                    10E                    equal, equal
#   | 999E:                   999E                   999E                   equal, equal
#   | 1000E:                  1                      1                      less, less
#   | 1001E:                  1001E                  1001E                  equal, equal
#   | 1500E:                  1500E                  1500E                  equal, equal
#   | 2000E:                  2                      2                      less, less
#   | 10000E:                 10                     10                     less, less
#   | 1000000E:               1                      1                      less, less
#   | 1000000P:               1                      1                      less, less
#   | 999000000000000000000:  999E                   999E                   equal, equal
#   | 1000000000000000000000: 1                      1                      less, less
#   | 1000000000000000000001: 1000000000000000000001 1000000000000000000001 equal, equal
#   | 1e21:                   1e21                   1e21                   equal, equal
#   | 500E + 500E:            1                      1                      less, less
#   | A device with memory 999E, asked for 80Gi: as made device, as read device
#   | A device with memory 1000E, asked for 80Gi: as made device, as read nothing
#   | A device with memory 80Gi, asked for 1000E: as made nothing, as read device
#   | A device of 80Gi with a counter of 999E: as made device, as read device
#   | A device of 80Gi with a counter of 1000E: as made device, as read nothing
#
# Why it matters: a capacity or counter that is meant to be no limit, or a request that no device can
# meet, becomes the smallest one there is, without an error, and only for round numbers. A test that
# gives its objects to the allocator as they were made does not see it. Write such a quantity as 8Ei,
# which is capped, or with an exponent.
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
	"encoding/json"
	"fmt"
	"os"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured"
)

// features are those that kube-scheduler 1.37 has on by default.
var features = structured.Features{
	AdminAccess: true, ConsumableCapacity: true, DeviceBindingAndStatus: true, DeviceTaints: true,
	PartitionableDevices: true, PrioritizedList: true,
}

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

// slice has one device with a capacity, or with a counter of which it consumes 80Gi.
func slice(capacity, counter string) *resourceapi.ResourceSlice {
	node, shared := "node", true
	made := &resourceapi.ResourceSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "slice"},
		Spec: resourceapi.ResourceSliceSpec{
			Driver: "gpu.example.com", NodeName: &node,
			Pool: resourceapi.ResourcePool{Name: "pool", Generation: 1, ResourceSliceCount: 1},
		},
	}
	device := resourceapi.Device{Name: "device"}
	if counter == "" {
		device.AllowMultipleAllocations = &shared
		device.Capacity = map[resourceapi.QualifiedName]resourceapi.DeviceCapacity{
			"memory": {Value: resource.MustParse(capacity)},
		}
	} else {
		device.ConsumesCounters = []resourceapi.DeviceCounterConsumption{
			{CounterSet: "card", Counters: memory("80Gi")},
		}
	}
	made.Spec.Devices = []resourceapi.Device{device}
	return made
}

// counters is the slice with the counter; both are of one pool.
func counters(size string) *resourceapi.ResourceSlice {
	made := slice("80Gi", "")
	made.Name, made.Spec.Devices = "counters", nil
	made.Spec.SharedCounters = []resourceapi.CounterSet{{Name: "card", Counters: memory(size)}}
	return made
}

func memory(size string) map[string]resourceapi.Counter {
	return map[string]resourceapi.Counter{"memory": {Value: resource.MustParse(size)}}
}

func claim(size string) *resourceapi.ResourceClaim {
	made := &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "claim"}}
	asked := &resourceapi.ExactDeviceRequest{
		DeviceClassName: "gpu", AllocationMode: resourceapi.DeviceAllocationModeExactCount, Count: 1,
	}
	if size != "" {
		asked.Capacity = &resourceapi.CapacityRequirements{
			Requests: map[resourceapi.QualifiedName]resource.Quantity{"memory": resource.MustParse(size)},
		}
	}
	made.Spec.Devices.Requests = []resourceapi.DeviceRequest{{Name: "gpu", Exactly: asked}}
	return made
}

// read returns what an object is once it has been stored as protobuf.
func read[T any, P interface {
	*T
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}](made P) P {
	stored, err := made.Marshal()
	must(err)
	again := P(new(T))
	must(again.Unmarshal(stored))
	return again
}

func allocate(claim *resourceapi.ResourceClaim, slices ...*resourceapi.ResourceSlice) string {
	for _, each := range slices {
		each.Spec.Pool.ResourceSliceCount = int64(len(slices))
	}
	ctx := context.Background()
	allocator, err := structured.NewAllocator(ctx, features, structured.AllocatedState{}, anyDevice{}, slices,
		cel.NewCache(10, cel.Features{}))
	must(err)
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}
	results, err := allocator.Allocate(ctx, node, []*resourceapi.ResourceClaim{claim})
	must(err)
	if len(results) == 0 {
		return "nothing"
	}
	return results[0].Devices.Results[0].Device
}

func compared(again, parsed resource.Quantity) string {
	return map[int]string{-1: "less", 0: "equal", 1: "greater"}[again.Cmp(parsed)]
}

func show(text string, parsed resource.Quantity) {
	encoded, err := json.Marshal(parsed)
	must(err)
	var fromJSON resource.Quantity
	must(json.Unmarshal(encoded, &fromJSON))
	copied := parsed.DeepCopy()
	fromProtobuf := *read(&copied)
	fmt.Printf("%-23s %-22s %-22s %s, %s\n", text+":", fromJSON.String(), fromProtobuf.String(),
		compared(fromJSON, parsed), compared(fromProtobuf, parsed))
}

func main() {
	fmt.Println(os.Args[1] + ": what was parsed, what JSON and protobuf give, compared with what was parsed")
	for _, text := range []string{
		"8Ei", "1000Ei", "10E", "999E", "1000E", "1001E", "1500E", "2000E", "10000E", "1000000E", "1000000P",
		"999000000000000000000", "1000000000000000000000", "1000000000000000000001", "1e21",
	} {
		show(text, resource.MustParse(text))
	}
	sum := resource.MustParse("500E")
	sum.Add(resource.MustParse("500E"))
	show("500E + 500E", sum)

	for _, sizes := range [][2]string{{"999E", "80Gi"}, {"1000E", "80Gi"}, {"80Gi", "1000E"}} {
		fmt.Printf("A device with memory %s, asked for %s: as made %s, as read %s\n", sizes[0], sizes[1],
			allocate(claim(sizes[1]), slice(sizes[0], "")),
			allocate(read(claim(sizes[1])), read(slice(sizes[0], ""))))
	}
	for _, size := range []string{"999E", "1000E"} {
		fmt.Printf("A device of 80Gi with a counter of %s: as made %s, as read %s\n", size,
			allocate(claim(""), slice("", size), counters(size)),
			allocate(claim(""), read(slice("", size)), read(counters(size))))
	}
}
GO

go build -mod=mod -o program .
./program "$(go list -m -f '{{.Version}}' k8s.io/apimachinery)" | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
