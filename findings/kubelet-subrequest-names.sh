#!/usr/bin/env bash
# A driver that names the request as the allocation does leaves the container without its device
#
# Version: k8s.io/kubernetes/pkg/kubelet/cm/dra v1.37.2
#
# Expected: a claim asks for one of two alternatives (firstAvailable), and its allocation names the one
# that was chosen: `request: gpu/large`, as the API requires. The driver copies that name into its answer
# to NodePrepareResources, where each device has the names of the requests that it is for. A container
# that asks for the request `gpu` of the claim gets the device.
#
# Seen: the kubelet compares the whole name with `gpu`, and gives the container no device; there is no
# error. The device's health is not in the container's status either. A container that asks for the claim
# as a whole gets it, and the data of which the podresources API is made (GetContainerClaimInfos) has the
# device for both. Only the part before the slash works, or no name at all. The Go package kubeletplugin
# cuts the names itself, and says that both forms are fine; the protocol has no word about it.
#   | the driver names [gpu/large]
#   |   a container with request ""     is given gpu-0, health of gpu-0, podresources gpu-0
#   |   a container with request "gpu"  is given nothing, health of nothing, podresources gpu-0
#   | the driver names [gpu]
#   |   a container with request ""     is given gpu-0, health of gpu-0, podresources gpu-0
#   |   a container with request "gpu"  is given gpu-0, health of gpu-0, podresources gpu-0
#   | the driver names []
#   |   a container with request ""     is given gpu-0, health of gpu-0, podresources gpu-0
#   |   a container with request "gpu"  is given gpu-0, health of gpu-0, podresources gpu-0
#
# Why it matters: nothing stops the container, podresources counts the device as its own, and the program
# finds no GPU; and only where alternatives meet containers that name a request. A driver that speaks the
# protocol without that Go package has to cut each name at the slash.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > go.mod <<'MOD'
module finding

go 1.26

require k8s.io/kubernetes v1.37.2

// what Kubernetes replaces by folders of its repository
MOD
kubernetes=$(go list -mod=mod -m -f '{{.GoMod}}' k8s.io/kubernetes@v1.37.2)
awk '$3 ~ /staging/ { print "replace", $1, "=>", $1, "v0.37.2" }' "$kubernetes" >> go.mod

cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	drapb "k8s.io/kubelet/pkg/apis/dra/v1"
	"k8s.io/kubernetes/pkg/kubelet/cm/dra"
)

const driver = "gpu.example.com"

// answers are the names that the driver gives with the device of each claim.
var answers = []struct {
	claim string
	names []string
}{
	{"as-allocated", []string{"gpu/large"}},
	{"first-part", []string{"gpu"}},
	{"no-name", nil},
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// plugin prepares every claim as one device.
type plugin struct {
	drapb.UnimplementedDRAPluginServer
}

func (plugin) NodePrepareResources(
	_ context.Context, request *drapb.NodePrepareResourcesRequest,
) (*drapb.NodePrepareResourcesResponse, error) {
	prepared := map[string]*drapb.NodePrepareResourceResponse{}
	for _, claim := range request.Claims {
		for _, answer := range answers {
			if answer.claim == claim.Name {
				prepared[claim.Uid] = &drapb.NodePrepareResourceResponse{Devices: []*drapb.Device{{
					RequestNames: answer.names, PoolName: "node", DeviceName: "gpu-0",
					CdiDeviceIds: []string{"example.com/gpu=gpu-0"},
				}}}
			}
		}
	}
	return &drapb.NodePrepareResourcesResponse{Claims: prepared}, nil
}

// claimAndPod are a claim for one of two alternatives, and a pod whose first container uses the claim
// while its second one uses the request.
func claimAndPod(name string) (*resourceapi.ResourceClaim, *v1.Pod) {
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("pod-" + name)}}
	pod.Spec.ResourceClaims = []v1.PodResourceClaim{{Name: "accelerator", ResourceClaimName: &name}}
	for _, request := range []string{"", "gpu"} {
		container := v1.Container{Name: "main" + request}
		container.Resources.Claims = []v1.ResourceClaim{{Name: "accelerator", Request: request}}
		pod.Spec.Containers = append(pod.Spec.Containers, container)
	}
	claim := &resourceapi.ResourceClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name)},
		Spec: resourceapi.ResourceClaimSpec{Devices: resourceapi.DeviceClaim{
			Requests: []resourceapi.DeviceRequest{{Name: "gpu", FirstAvailable: []resourceapi.DeviceSubRequest{
				{Name: "large", DeviceClassName: "large"}, {Name: "small", DeviceClassName: "small"},
			}}},
		}},
		Status: resourceapi.ResourceClaimStatus{
			ReservedFor: []resourceapi.ResourceClaimConsumerReference{
				{Resource: "pods", Name: pod.Name, UID: pod.UID},
			},
			Allocation: &resourceapi.AllocationResult{Devices: resourceapi.DeviceAllocationResult{
				Results: []resourceapi.DeviceRequestAllocationResult{
					{Request: "gpu/large", Driver: driver, Pool: "node", Device: "gpu-0"},
				},
			}},
		},
	}
	return claim, pod
}

type ready struct{}

func (ready) AddSource(string) {}
func (ready) AllReady() bool   { return true }

// managed registers the driver with a kubelet's DRA manager.
func managed(ctx context.Context, pods []*v1.Pod, claims []runtime.Object) *dra.Manager {
	server := grpc.NewServer()
	drapb.RegisterDRAPluginServer(server, plugin{})
	go server.Serve(must(net.Listen("unix", "dra.sock")))
	manager := must(dra.NewManager(klog.Background(), fake.NewClientset(claims...), "."))
	check(manager.Start(ctx,
		func() []*v1.Pod { return pods },
		func(context.Context) (*v1.Node, error) { return &v1.Node{}, nil },
		ready{}))
	check(manager.GetWatcherHandler().RegisterPlugin(
		ctx, driver, "dra.sock", []string{drapb.DRAPluginService}, nil))
	return manager
}

func prepare(ctx context.Context, manager *dra.Manager, pod *v1.Pod) {
	for range 100 {
		if manager.PrepareResources(ctx, pod) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	check(manager.PrepareResources(ctx, pod))
}

func short(ids []string) string {
	if len(ids) == 0 {
		return "nothing"
	}
	return strings.ReplaceAll(strings.Join(ids, " "), "example.com/gpu=", "")
}

// given returns the CDI devices that a container is started with.
func given(manager *dra.Manager, pod *v1.Pod, container *v1.Container) string {
	info, err := manager.GetResources(pod, container)
	if err != nil {
		return err.Error()
	}
	var ids []string
	for _, device := range info.CDIDevices {
		ids = append(ids, device.Name)
	}
	return short(ids)
}

// known returns the devices of what the podresources API is answered from.
func known(manager *dra.Manager, pod *v1.Pod, container *v1.Container) string {
	var ids []string
	for _, info := range must(manager.GetContainerClaimInfos(pod, container)) {
		for _, device := range info.DriverState[driver].Devices {
			ids = append(ids, device.CDIDeviceIDs...)
		}
	}
	return short(ids)
}

// reported returns the devices whose health is in the pod's status.
func reported(manager *dra.Manager, pod *v1.Pod, container *v1.Container) string {
	found := v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{{Name: container.Name}}}
	manager.UpdateAllocatedResourcesStatus(klog.Background(), pod, &found)
	var ids []string
	for _, each := range found.ContainerStatuses[0].AllocatedResourcesStatus {
		for _, device := range each.Resources {
			ids = append(ids, string(device.ResourceID))
		}
	}
	return short(ids)
}

func main() {
	ctx := context.Background()
	var pods []*v1.Pod
	var claims []runtime.Object
	for _, answer := range answers {
		claim, pod := claimAndPod(answer.claim)
		pods, claims = append(pods, pod), append(claims, claim)
	}
	manager := managed(ctx, pods, claims)
	for i, answer := range answers {
		prepare(ctx, manager, pods[i])
		fmt.Printf("the driver names [%s]\n", strings.Join(answer.names, " "))
		for j := range pods[i].Spec.Containers {
			container := &pods[i].Spec.Containers[j]
			fmt.Printf("  a container with request %-6q is given %s, health of %s, podresources %s\n",
				container.Resources.Claims[0].Request, given(manager, pods[i], container),
				reported(manager, pods[i], container), known(manager, pods[i], container))
		}
	}
}
GO

go build -mod=mod -o program .
go list -m k8s.io/kubernetes
./program | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
