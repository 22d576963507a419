#!/usr/bin/env bash
# One card that lost a gigabyte blocks all other cards of its pool
#
# Version: k8s.io/dynamic-resource-allocation v0.37.2, features as in kube-scheduler 1.37
#
# Expected: two cards of 80Gi are published as partitionable devices, each with a counter set of its
# own. card-0 is in use as a whole. Its driver sees that a part of its memory is broken and publishes
# the counter set of card-0 with 79Gi. That forbids new partitions of card-0; card-1 is another set.
#
# Seen: as long as card-0 is allocated, no device of the pool that consumes a counter is allocated any
# more, the free and healthy card-1 and its halves included. There is no error, so the pod that waits
# for card-1 only hears that its claims cannot be allocated. In a pool of its own card-1 is given out.
#   | card-0 has 80Gi and is free: card-0
#   | card-0 has 80Gi and is in use: card-1
#   | card-0 has 79Gi and is free: card-0-half
#   | card-0 has 79Gi and is in use: nothing, error <nil>
#   | card-0 has 79Gi and is in use, card-1 in another pool: card-1
#
# Why it matters: counters invite a driver to publish what the hardware really has left, and a capacity
# that a new version of the driver rounds differently has the same effect. A driver must not lower a
# counter below what is allocated (a taint can say that a device is broken), or give each card a pool.
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

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured"
)

const driver = "gpu.example.com"

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

func memory(size string) map[string]resourceapi.Counter {
	return map[string]resourceapi.Counter{"memory": {Value: resource.MustParse(size)}}
}

func partition(name, card, size string) resourceapi.Device {
	return resourceapi.Device{Name: name, ConsumesCounters: []resourceapi.DeviceCounterConsumption{
		{CounterSet: card, Counters: memory(size)},
	}}
}

func slice(name, pool string) *resourceapi.ResourceSlice {
	node := "node"
	return &resourceapi.ResourceSlice{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: resourceapi.ResourceSliceSpec{
			Driver: driver, NodeName: &node,
			Pool: resourceapi.ResourcePool{Name: pool, Generation: 1, ResourceSliceCount: 2},
		},
	}
}

// card publishes a whole card and its halves, next to a slice with the card's counters.
func card(pool, name, size string) (counters, devices *resourceapi.ResourceSlice) {
	counters, devices = slice(name+"-counters", pool), slice(name+"-devices", pool)
	counters.Spec.SharedCounters = []resourceapi.CounterSet{{Name: name, Counters: memory(size)}}
	devices.Spec.Devices = []resourceapi.Device{
		partition(name, name, "80Gi"), partition(name+"-half", name, "40Gi"),
		partition(name+"-half-2", name, "40Gi"),
	}
	return counters, devices
}

func onePool(size string) []*resourceapi.ResourceSlice {
	counters, devices := card("node", "card-0", size)
	otherCounters, otherDevices := card("node", "card-1", "80Gi")
	counters.Spec.SharedCounters = append(counters.Spec.SharedCounters, otherCounters.Spec.SharedCounters...)
	devices.Spec.Devices = append(devices.Spec.Devices, otherDevices.Spec.Devices...)
	return []*resourceapi.ResourceSlice{counters, devices}
}

func poolForEach(size string) []*resourceapi.ResourceSlice {
	counters, devices := card("card-0", "card-0", size)
	otherCounters, otherDevices := card("card-1", "card-1", "80Gi")
	return []*resourceapi.ResourceSlice{counters, devices, otherCounters, otherDevices}
}

// allocate returns the device that a claim for any one gets.
func allocate(slices []*resourceapi.ResourceSlice, inUse ...structured.DeviceID) string {
	ctx := context.Background()
	state := structured.AllocatedState{AllocatedDevices: sets.New(inUse...)}
	allocator, err := structured.NewAllocator(
		ctx, features, state, anyDevice{}, slices, cel.NewCache(10, cel.Features{}))
	if err != nil {
		return err.Error()
	}
	claim := &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "claim"}}
	claim.Spec.Devices.Requests = []resourceapi.DeviceRequest{{Name: "gpu",
		Exactly: &resourceapi.ExactDeviceRequest{
			DeviceClassName: "gpu", AllocationMode: resourceapi.DeviceAllocationModeExactCount, Count: 1,
		}}}
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}
	results, err := allocator.Allocate(ctx, node, []*resourceapi.ResourceClaim{claim})
	if len(results) == 0 {
		return fmt.Sprintf("nothing, error %v", err)
	}
	return results[0].Devices.Results[0].Device
}

func main() {
	used := structured.MakeDeviceID(driver, "node", "card-0")
	fmt.Println("card-0 has 80Gi and is free:", allocate(onePool("80Gi")))
	fmt.Println("card-0 has 80Gi and is in use:", allocate(onePool("80Gi"), used))
	fmt.Println("card-0 has 79Gi and is free:", allocate(onePool("79Gi")))
	fmt.Println("card-0 has 79Gi and is in use:", allocate(onePool("79Gi"), used))
	fmt.Println("card-0 has 79Gi and is in use, card-1 in another pool:",
		allocate(poolForEach("79Gi"), structured.MakeDeviceID(driver, "card-0", "card-0")))
}
GO

go build -mod=mod -o program .
go list -m k8s.io/dynamic-resource-allocation
./program | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
