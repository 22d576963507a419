#!/usr/bin/env bash
# A claim for all GPUs fails while a network driver, which it cannot use, updates its pool
#
# Version: k8s.io/dynamic-resource-allocation v0.37.2, features as in kube-scheduler 1.37
#
# Expected: a claim with allocationMode All, whose class takes devices of gpu.example.com only, depends
# on the pools of gpu.example.com. Where such a request is the first of several alternatives
# (firstAvailable) and cannot be had, the next alternative is tried.
#
# Seen: on a node where one slice of two of nic.example.com is there, as it can be for a moment while
# a pool is updated, or for long where a driver was stopped in between, the claim fails with an error
# about the network pool. The same error ends a claim whose second alternative, two GPUs by number,
# is free and enough. It is not ErrFailedAllocationOnNode, the error that a scheduler may answer by
# trying other nodes: by the contract of Allocate it ends the attempt for the whole cluster.
#   | two GPUs by number: gpu-0 gpu-1
#   | all GPUs: claim default/claim, request gpus: asks for all devices, but resource pool nic.example.com/node is currently being updated
#   | all GPUs, else two by number: claim default/claim, request all: asks for all devices, but resource pool nic.example.com/node is currently being updated
#   | other nodes may be tried: false
#   | the network pool is complete:
#   | all GPUs: gpu-0 gpu-1
#   | all GPUs, else two by number: gpu-0 gpu-1
#
# Why it matters: every driver on one node can block all claims with allocationMode All, whoever's
# devices they ask for, and an alternative that is meant for just such a case is no way out.
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
	"strings"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured"
)

// features are those that kube-scheduler 1.37 has on by default.
var features = structured.Features{
	AdminAccess: true, ConsumableCapacity: true, DeviceBindingAndStatus: true, DeviceTaints: true,
	PartitionableDevices: true, PrioritizedList: true,
}

// gpus is the one device class: all devices of gpu.example.com.
type gpus struct{}

func (gpus) List() ([]*resourceapi.DeviceClass, error) { return nil, nil }

func (gpus) Get(name string) (*resourceapi.DeviceClass, error) {
	return &resourceapi.DeviceClass{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: resourceapi.DeviceClassSpec{Selectors: []resourceapi.DeviceSelector{{
			CEL: &resourceapi.CELDeviceSelector{Expression: `device.driver == "gpu.example.com"`},
		}}},
	}, nil
}

func slice(driver string, slicesInPool int64, names ...string) *resourceapi.ResourceSlice {
	node := "node"
	var devices []resourceapi.Device
	for _, name := range names {
		devices = append(devices, resourceapi.Device{Name: name})
	}
	return &resourceapi.ResourceSlice{
		ObjectMeta: metav1.ObjectMeta{Name: driver},
		Spec: resourceapi.ResourceSliceSpec{
			Driver: driver, NodeName: &node, Devices: devices,
			Pool: resourceapi.ResourcePool{Name: node, Generation: 1, ResourceSliceCount: slicesInPool},
		},
	}
}

func allocate(
	request resourceapi.DeviceRequest, slices ...*resourceapi.ResourceSlice,
) (string, error) {
	ctx := context.Background()
	allocator, err := structured.NewAllocator(ctx, features, structured.AllocatedState{},
		gpus{}, slices, cel.NewCache(10, cel.Features{}))
	if err != nil {
		return "", err
	}
	claim := &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "claim"}}
	claim.Spec.Devices.Requests = []resourceapi.DeviceRequest{request}
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}
	results, err := allocator.Allocate(ctx, node, []*resourceapi.ResourceClaim{claim})
	if err != nil {
		return err.Error(), err
	}
	var names []string
	for _, result := range results {
		for _, device := range result.Devices.Results {
			names = append(names, device.Device)
		}
	}
	return strings.Join(names, " "), nil
}

func main() {
	all, byNumber := resourceapi.DeviceAllocationModeAll, resourceapi.DeviceAllocationModeExactCount
	allGPUs := resourceapi.DeviceRequest{Name: "gpus", Exactly: &resourceapi.ExactDeviceRequest{
		DeviceClassName: "gpu", AllocationMode: all,
	}}
	twoGPUs := resourceapi.DeviceRequest{Name: "gpus", Exactly: &resourceapi.ExactDeviceRequest{
		DeviceClassName: "gpu", AllocationMode: byNumber, Count: 2,
	}}
	allElseTwo := resourceapi.DeviceRequest{Name: "gpus", FirstAvailable: []resourceapi.DeviceSubRequest{
		{Name: "all", DeviceClassName: "gpu", AllocationMode: all},
		{Name: "two", DeviceClassName: "gpu", AllocationMode: byNumber, Count: 2},
	}}
	gpu := slice("gpu.example.com", 1, "gpu-0", "gpu-1")
	show := func(text string, request resourceapi.DeviceRequest, nic *resourceapi.ResourceSlice) error {
		result, err := allocate(request, gpu, nic)
		fmt.Printf("%s: %s\n", text, result)
		return err
	}

	updating := slice("nic.example.com", 2, "nic-0")
	show("two GPUs by number", twoGPUs, updating)
	show("all GPUs", allGPUs, updating)
	err := show("all GPUs, else two by number", allElseTwo, updating)
	fmt.Println("other nodes may be tried:", errors.Is(err, structured.ErrFailedAllocationOnNode))

	complete := slice("nic.example.com", 1, "nic-0")
	fmt.Println("the network pool is complete:")
	show("all GPUs", allGPUs, complete)
	show("all GPUs, else two by number", allElseTwo, complete)
}
GO

go build -mod=mod -o program .
go list -m k8s.io/dynamic-resource-allocation
./program | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
