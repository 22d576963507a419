#!/usr/bin/env bash
# A toleration of all effects lets a pod onto a tainted device, from which it is evicted at once
#
# Version: k8s.io/kubernetes/pkg/controller/devicetainteviction v1.37.2 (kube-controller-manager) and
# k8s.io/dynamic-resource-allocation v0.37.2 (the function by which kube-scheduler judges tolerations)
#
# Expected: `effect` of a device's toleration may be left out, which by the API's description stands for
# all effects. A claim that tolerates a device with a NoExecute taint that way gets it, and its pod stays.
#
# Seen: kube-scheduler takes it so, and allocates the device. The controller that evicts pods compares the
# effect itself before it asks the same function, and an empty one is not NoExecute:
#   | effect ""          : tolerated for the scheduler, the pod is deleted
#   | effect "NoExecute" : tolerated for the scheduler, the pod stays
# A pod of a Deployment is made anew, gets the device again, and is evicted again. A cluster of 1.37.2 does
# the same, with the events Scheduled and DeviceTaintManagerEviction; the comparison stands in the sources
# since 1.33.
#
# Why it matters: the shortest toleration, {operator: Exists}, is what monitoring pods and burn-in tests of
# broken devices ask for, and no message says that the effect is missing. Write `effect: NoExecute`, and
# a second toleration for NoSchedule.
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
	"io"
	"time"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/dynamic-resource-allocation/resourceclaim"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/devicetainteviction"
)

const node, driver = "node-1", "gpu.example.com"

var taint = resourceapi.DeviceTaint{
	Key: "sick", Effect: resourceapi.DeviceTaintEffectNoExecute, TimeAdded: &metav1.Time{Time: time.Now()},
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "default", UID: "uid"}
}

// stays tells whether a pod is still there some seconds after the controller has begun.
func stays(toleration resourceapi.DeviceToleration) bool {
	slice := &resourceapi.ResourceSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "slice"},
		Spec: resourceapi.ResourceSliceSpec{
			Driver: driver, NodeName: ptr(node),
			Pool:    resourceapi.ResourcePool{Name: node, ResourceSliceCount: 1},
			Devices: []resourceapi.Device{{Name: "gpu-0", Taints: []resourceapi.DeviceTaint{taint}}},
		},
	}
	result := resourceapi.DeviceRequestAllocationResult{
		Request: "gpu", Driver: driver, Pool: node, Device: "gpu-0",
		Tolerations: []resourceapi.DeviceToleration{toleration},
	}
	claim := &resourceapi.ResourceClaim{ObjectMeta: meta("claim")}
	claim.Status.Allocation = &resourceapi.AllocationResult{Devices: resourceapi.DeviceAllocationResult{
		Results: []resourceapi.DeviceRequestAllocationResult{result},
	}}
	claim.Status.ReservedFor = []resourceapi.ResourceClaimConsumerReference{
		{Resource: "pods", Name: "pod", UID: "uid"},
	}
	pod := &v1.Pod{ObjectMeta: meta("pod"), Spec: v1.PodSpec{
		NodeName:       node,
		ResourceClaims: []v1.PodResourceClaim{{Name: "gpu", ResourceClaimName: ptr("claim")}},
	}}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client := fake.NewClientset(slice, claim, pod)
	factory := informers.NewSharedInformerFactory(client, 0)
	resources := factory.Resource().V1()
	controller := devicetainteviction.New(
		client, factory.Core().V1().Pods(), resources.ResourceClaims(), resources.ResourceSlices(),
		factory.Resource().V1().DeviceTaintRules(), resources.DeviceClasses(), "eviction",
	)
	factory.Start(ctx.Done())
	go controller.Run(ctx, 1)
	for ctx.Err() == nil {
		_, err := client.CoreV1().Pods("default").Get(context.Background(), "pod", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
	return true
}

func ptr(text string) *string { return &text }

func main() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	says := map[bool]string{true: "the pod stays", false: "the pod is deleted"}
	for _, effect := range []resourceapi.DeviceTaintEffect{"", resourceapi.DeviceTaintEffectNoExecute} {
		toleration := resourceapi.DeviceToleration{
			Key: "sick", Operator: resourceapi.DeviceTolerationOpExists, Effect: effect,
		}
		judged := "not tolerated"
		if resourceclaim.ToleratesTaint(toleration, taint) {
			judged = "tolerated"
		}
		fmt.Printf("effect %-12q: %s for the scheduler, %s\n", effect, judged, says[stays(toleration)])
	}
}
GO
GOFLAGS=-mod=mod go mod tidy > "$work/tidy" 2>&1 || { cat "$work/tidy"; exit 1; }
go run . | tee "$work/seen"

sed -n 's/^#   | //p' "$self" | diff - "$work/seen" && echo "as written"
