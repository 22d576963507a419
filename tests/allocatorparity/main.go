// Allocates one case a line with the allocator of kube-scheduler: JSON in, JSON out.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured"
)

type input struct {
	Features  structured.Features
	Nodes     []v1.Node
	Slices    []*resourceapi.ResourceSlice
	Classes   []*resourceapi.DeviceClass
	Allocated []*resourceapi.ResourceClaim
	Claims    []*resourceapi.ResourceClaim
	Seconds   float64
	Repeat    int
}

type output struct {
	Outcome     string                         `json:"outcome"`
	Error       string                         `json:"error,omitempty"`
	Allocations []resourceapi.AllocationResult `json:"allocations,omitempty"`
	Nanos       int64                          `json:"nanos"`
}

type classes []*resourceapi.DeviceClass

func (c classes) List() ([]*resourceapi.DeviceClass, error) { return c, nil }

func (c classes) Get(name string) (*resourceapi.DeviceClass, error) {
	for _, class := range c {
		if class.Name == name {
			return class, nil
		}
	}
	return nil, fmt.Errorf("it does not exist")
}

func state(claims []*resourceapi.ResourceClaim, shares bool) structured.AllocatedState {
	found := structured.AllocatedState{
		AllocatedDevices:         sets.New[structured.DeviceID](),
		AllocatedSharedDeviceIDs: sets.New[structured.SharedDeviceID](),
		AggregatedCapacity:       structured.NewConsumedCapacityCollection(),
	}
	for _, claim := range claims {
		for _, r := range claim.Status.Allocation.Devices.Results {
			id := structured.MakeDeviceID(r.Driver, r.Pool, r.Device)
			switch {
			case r.AdminAccess != nil && *r.AdminAccess:
			case r.ShareID != nil && shares:
				found.AllocatedSharedDeviceIDs.Insert(structured.MakeSharedDeviceID(id, r.ShareID))
				if r.ConsumedCapacity != nil {
					taken := map[resourceapi.QualifiedName]resource.Quantity{}
					for name, amount := range r.ConsumedCapacity {
						taken[name] = amount.DeepCopy()
					}
					found.AggregatedCapacity.Insert(structured.NewDeviceConsumedCapacity(id, taken))
				}
			default:
				found.AllocatedDevices.Insert(id)
			}
		}
	}
	return found
}

func run(in *input, cache *cel.Cache) output {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(in.Seconds*float64(time.Second)))
	defer cancel()
	begun := time.Now()
	var found []resourceapi.AllocationResult
	allocator, err := structured.NewAllocator(ctx, in.Features,
		state(in.Allocated, in.Features.ConsumableCapacity), classes(in.Classes), in.Slices, cache)
	for i := 0; err == nil && i < max(1, in.Repeat); i++ {
		for n := range in.Nodes {
			found, err = allocator.Allocate(ctx, &in.Nodes[n], in.Claims)
		}
	}
	out := output{Nanos: time.Since(begun).Nanoseconds(), Allocations: found, Outcome: "allocated"}
	switch {
	case err != nil && ctx.Err() != nil:
		out.Outcome = "timeout"
	case errors.Is(err, structured.ErrFailedAllocationOnNode):
		out.Outcome = "refused"
	case err != nil:
		out.Outcome = "invalid"
	case found == nil && len(in.Claims) > 0:
		out.Outcome = "refused"
	}
	if err != nil {
		out.Error, out.Allocations = err.Error(), nil
	}
	return out
}

func main() {
	reader, encoder := bufio.NewReaderSize(os.Stdin, 1<<20), json.NewEncoder(os.Stdout)
	cache := cel.NewCache(1000, cel.Features{EnableConsumableCapacity: true})
	for {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			return
		}
		var in input
		if err := json.Unmarshal(line, &in); err != nil {
			panic(err)
		}
		if err := encoder.Encode(run(&in, cache)); err != nil {
			panic(err)
		}
	}
}
