#!/usr/bin/env bash
# Admin access, made for devices in use, is refused on partitionable devices because they are in use
#
# Version: k8s.io/dynamic-resource-allocation v0.37.2, features as in kube-scheduler 1.37
#
# Expected: a monitoring pod asks for the devices of its node with adminAccess. By the documentation of
# the field such a claim ignores what ordinary claims have allocated, and by that of allocationMode,
# All fails when a device is allocated already, but not with adminAccess.
#
# Seen: so it is with plain devices. Of a card that is published with its halves and counters, nothing
# is to be had while it is fully in use, since an admin's allocation, too, must find free counters.
# And all devices at once are never to be had, not even on an idle node: the card and its two halves
# together need twice the memory that there is. No error says why.
#   | two plain cards, idle, one device: card-0
#   | two plain cards, both in use, one device: card-0
#   | two plain cards, both in use, all devices: card-0 card-1
#   | card with halves, idle, one device: card-0
#   | card with halves, card-0 in use, one device: nothing, error <nil>
#   | card with halves, half-0 and half-1 in use, one device: nothing, error <nil>
#   | card with halves, idle, all devices: nothing, error <nil>
#
# Why it matters: a monitoring DaemonSet that runs on every node stays pending on the first one whose
# driver offers partitions, which a driver may begin to do with an update; and where it asks for
# single devices, it is kept out just when they are in use.
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
	"strings"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured"
)

const (
	driver = "gpu.example.com"
	one    = resourceapi.DeviceAllocationModeExactCount
	all    = resourceapi.DeviceAllocationModeAll
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

func memory(size string) map[string]resourceapi.Counter {
	return map[string]resourceapi.Counter{"memory": {Value: resource.MustParse(size)}}
}

// pool is one of several slices, filled in turn.
func pool(fill ...func(*resourceapi.ResourceSliceSpec)) (slices []*resourceapi.ResourceSlice) {
	node := "node"
	for i, change := range fill {
		slice := &resourceapi.ResourceSlice{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("slice-", i)}}
		slice.Spec = resourceapi.ResourceSliceSpec{
			Driver: driver, NodeName: &node,
			Pool: resourceapi.ResourcePool{Name: node, Generation: 1, ResourceSliceCount: int64(len(fill))},
		}
		change(&slice.Spec)
		slices = append(slices, slice)
	}
	return slices
}

func plain(spec *resourceapi.ResourceSliceSpec) {
	spec.Devices = []resourceapi.Device{{Name: "card-0"}, {Name: "card-1"}}
}

func counters(spec *resourceapi.ResourceSliceSpec) {
	spec.SharedCounters = []resourceapi.CounterSet{{Name: "card-0", Counters: memory("80Gi")}}
}

func partitions(spec *resourceapi.ResourceSliceSpec) {
	for _, device := range []struct{ name, size string }{
		{"card-0", "80Gi"}, {"half-0", "40Gi"}, {"half-1", "40Gi"},
	} {
		spec.Devices = append(spec.Devices, resourceapi.Device{Name: device.name,
			ConsumesCounters: []resourceapi.DeviceCounterConsumption{
				{CounterSet: "card-0", Counters: memory(device.size)},
			}})
	}
}

// access returns the devices that a claim with admin access gets.
func access(
	slices []*resourceapi.ResourceSlice, mode resourceapi.DeviceAllocationMode, inUse ...string,
) string {
	ctx, admin := context.Background(), true
	state := structured.AllocatedState{AllocatedDevices: sets.New[structured.DeviceID]()}
	for _, name := range inUse {
		state.AllocatedDevices.Insert(structured.MakeDeviceID(driver, "node", name))
	}
	allocator, err := structured.NewAllocator(
		ctx, features, state, anyDevice{}, slices, cel.NewCache(10, cel.Features{}))
	if err != nil {
		return err.Error()
	}
	request := &resourceapi.ExactDeviceRequest{
		DeviceClassName: "gpu", AllocationMode: mode, AdminAccess: &admin,
	}
	if mode == one {
		request.Count = 1
	}
	claim := &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "claim"}}
	claim.Spec.Devices.Requests = []resourceapi.DeviceRequest{{Name: "gpu", Exactly: request}}
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}
	results, err := allocator.Allocate(ctx, node, []*resourceapi.ResourceClaim{claim})
	if len(results) == 0 {
		return fmt.Sprintf("nothing, error %v", err)
	}
	var names []string
	for _, device := range results[0].Devices.Results {
		names = append(names, device.Device)
	}
	return strings.Join(names, " ")
}

func main() {
	cards, split := pool(plain), pool(counters, partitions)
	fmt.Println("two plain cards, idle, one device:", access(cards, one))
	fmt.Println("two plain cards, both in use, one device:", access(cards, one, "card-0", "card-1"))
	fmt.Println("two plain cards, both in use, all devices:", access(cards, all, "card-0", "card-1"))
	fmt.Println("card with halves, idle, one device:", access(split, one))
	fmt.Println("card with halves, card-0 in use, one device:", access(split, one, "card-0"))
	fmt.Println("card with halves, half-0 and half-1 in use, one device:",
		access(split, one, "half-0", "half-1"))
	fmt.Println("card with halves, idle, all devices:", access(split, all))
}
GO

go build -mod=mod -o program .
go list -m k8s.io/dynamic-resource-allocation
./program | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
