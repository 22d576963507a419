#!/usr/bin/env bash
# The kubelet hands the CDI devices of several claims to a container in random order
#
# Version: k8s.io/kubernetes/pkg/kubelet/cm/dra v1.37.2, tags.cncf.io/container-device-interface v1.1.2
#
# Expected: a pod lists three claims and its container names them in the same order. The devices reach
# the runtime in that order, or at least always in the same one: CDI applies the edits of devices one
# after the other, and where two of them set the same variable the last one wins.
#
# Seen: the kubelet's DRA manager prepares the claims once with a driver over gRPC. Asked again and
# again for the devices of the container, as it is at each start of a container, it answers in three
# orders. In a run of 500 they came 384, 69 and 47 times; so MODEL, which all three devices set, has
# the value of the third device mostly, and of another one in every fourth start.
#   | three claims, one container, 500 starts
#   | devices a b c: MODEL=c
#   | devices b c a: MODEL=a
#   | devices c a b: MODEL=b
#   | the most frequent order is the pod's own, in more than half of the starts
#
# Why it matters: a container that restarts can see other values than before with nothing changed in
# the cluster, and a test that starts it once or twice likely sees the pod's order. A driver must not
# let the devices of different claims set the same variable or mount over the same path.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > go.mod <<'MOD'
module finding

go 1.26

require (
	k8s.io/kubernetes v1.37.2
	tags.cncf.io/container-device-interface v1.1.2
)

// what Kubernetes replaces by folders of its repository
MOD
kubernetes=$(go list -mod=mod -m -f '{{.GoMod}}' k8s.io/kubernetes@v1.37.2)
awk '$3 ~ /staging/ { print "replace", $1, "=>", $1, "v0.37.2" }' "$kubernetes" >> go.mod

cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	oci "github.com/opencontainers/runtime-spec/specs-go"
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
	"tags.cncf.io/container-device-interface/pkg/cdi"
)

const driver = "gpu.example.com"

var claims = []string{"a", "b", "c"}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// plugin prepares every claim as one device with the name of the claim.
type plugin struct{ drapb.UnimplementedDRAPluginServer }

func (plugin) NodePrepareResources(
	_ context.Context, request *drapb.NodePrepareResourcesRequest,
) (*drapb.NodePrepareResourcesResponse, error) {
	answers := map[string]*drapb.NodePrepareResourceResponse{}
	for _, claim := range request.Claims {
		answers[claim.Uid] = &drapb.NodePrepareResourceResponse{Devices: []*drapb.Device{{
			RequestNames: []string{"gpu"}, PoolName: "node", DeviceName: claim.Name,
			CdiDeviceIds: []string{"example.com/gpu=" + claim.Name},
		}}}
	}
	return &drapb.NodePrepareResourcesResponse{Claims: answers}, nil
}

func allocatedClaim(name string) *resourceapi.ResourceClaim {
	return &resourceapi.ResourceClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name)},
		Status: resourceapi.ResourceClaimStatus{
			ReservedFor: []resourceapi.ResourceClaimConsumerReference{
				{Resource: "pods", Name: "pod", UID: "pod"},
			},
			Allocation: &resourceapi.AllocationResult{Devices: resourceapi.DeviceAllocationResult{
				Results: []resourceapi.DeviceRequestAllocationResult{
					{Request: "gpu", Driver: driver, Pool: "node", Device: name},
				},
			}},
		},
	}
}

func podWithClaims() (*v1.Pod, []runtime.Object) {
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pod", UID: "pod"}}
	container := v1.Container{Name: "main"}
	var objects []runtime.Object
	for _, name := range claims {
		pod.Spec.ResourceClaims = append(pod.Spec.ResourceClaims,
			v1.PodResourceClaim{Name: name, ResourceClaimName: &name})
		container.Resources.Claims = append(container.Resources.Claims, v1.ResourceClaim{Name: name})
		objects = append(objects, allocatedClaim(name))
	}
	pod.Spec.Containers = []v1.Container{container}
	return pod, objects
}

type ready struct{}

func (ready) AddSource(string) {}
func (ready) AllReady() bool   { return true }

// preparedBy registers the driver with a kubelet's DRA manager, which then prepares the pod's claims.
func preparedBy(ctx context.Context, pod *v1.Pod, objects []runtime.Object) *dra.Manager {
	server := grpc.NewServer()
	drapb.RegisterDRAPluginServer(server, plugin{})
	go server.Serve(must(net.Listen("unix", "dra.sock")))
	manager := must(dra.NewManager(klog.Background(), fake.NewClientset(objects...), "."))
	check(manager.Start(ctx,
		func() []*v1.Pod { return []*v1.Pod{pod} },
		func(context.Context) (*v1.Node, error) { return &v1.Node{}, nil },
		ready{}))
	check(manager.GetWatcherHandler().RegisterPlugin(
		ctx, driver, "dra.sock", []string{drapb.DRAPluginService}, nil))
	for range 100 {
		if manager.PrepareResources(ctx, pod) == nil {
			return manager
		}
		time.Sleep(100 * time.Millisecond)
	}
	check(manager.PrepareResources(ctx, pod))
	return manager
}

// runtimeEngine knows the same three devices, each of which sets MODEL to its name.
func runtimeEngine() *cdi.Cache {
	check(os.Mkdir("cdi", 0o755))
	var devices []string
	for _, name := range claims {
		devices = append(devices, fmt.Sprintf(
			`{"name": %q, "containerEdits": {"env": ["MODEL=%s"]}}`, name, name))
	}
	check(os.WriteFile("cdi/gpu.json", []byte(
		`{"cdiVersion": "0.6.0", "kind": "example.com/gpu", "devices": [`+strings.Join(devices, ",")+`]}`,
	), 0o644))
	return must(cdi.NewCache(cdi.WithSpecDirs("cdi")))
}

func main() {
	ctx := context.Background()
	pod, objects := podWithClaims()
	manager, engine := preparedBy(ctx, pod, objects), runtimeEngine()
	seen := map[string]int{}
	for range 500 {
		info := must(manager.GetResources(pod, &pod.Spec.Containers[0]))
		container := &oci.Spec{Process: &oci.Process{}}
		var ids, names []string
		for _, device := range info.CDIDevices {
			ids = append(ids, device.Name)
			names = append(names, strings.TrimPrefix(device.Name, "example.com/gpu="))
		}
		must(engine.InjectDevices(container, ids...))
		seen[fmt.Sprintf("devices %s: %s", strings.Join(names, " "), container.Process.Env[0])]++
	}
	fmt.Println("three claims, one container, 500 starts")
	for _, order := range slices.Sorted(maps.Keys(seen)) {
		fmt.Println(order)
		fmt.Fprintf(os.Stderr, "%s: %d times\n", order, seen[order])
	}
	if seen["devices a b c: MODEL=c"] > 250 {
		fmt.Println("the most frequent order is the pod's own, in more than half of the starts")
	}
}
GO

go build -mod=mod -o program .
go list -m k8s.io/kubernetes tags.cncf.io/container-device-interface
./program | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
