// Takes the place of the test of this package in a copy of k8s.io/dynamic-resource-allocation: runs
// upstream's cases, and writes down what the allocator was given.
package incubating

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured/internal"
	"k8s.io/dynamic-resource-allocation/structured/internal/allocatortesting"
)

type recorded struct {
	Features Features                     `json:"features"`
	Node     *v1.Node                     `json:"node"`
	Slices   []*resourceapi.ResourceSlice `json:"slices"`
	Classes  []*resourceapi.DeviceClass   `json:"classes"`
	Held     []string                     `json:"held"`
	Shared   []string                     `json:"shared"`
	Consumed map[string]map[string]string `json:"consumed"`
	Claims   []*resourceapi.ResourceClaim `json:"claims"`
}

type recorder struct {
	*Allocator
	mutex *sync.Mutex
	file  *os.File
	seen  recorded
}

func (r *recorder) Allocate(ctx context.Context, node *v1.Node, claims []*resourceapi.ResourceClaim) ([]resourceapi.AllocationResult, error) {
	seen := r.seen
	seen.Node, seen.Claims = node, claims
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err := json.NewEncoder(r.file).Encode(seen); err != nil {
		panic(err)
	}
	return r.Allocator.Allocate(ctx, node, claims)
}

func TestAllocator(t *testing.T) {
	file, err := os.Create(os.Getenv("RECORD"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var mutex sync.Mutex
	recording := func(ctx context.Context, features Features, state AllocatedState, classes DeviceClassLister,
		slices []*resourceapi.ResourceSlice, cache *cel.Cache) (internal.Allocator, error) {
		seen := recorded{Features: features, Slices: slices, Consumed: map[string]map[string]string{}}
		for id := range state.AllocatedDevices {
			seen.Held = append(seen.Held, id.String())
		}
		for id := range state.AllocatedSharedDeviceIDs {
			seen.Shared = append(seen.Shared, id.GetDeviceID().String())
		}
		for id, amounts := range state.AggregatedCapacity {
			seen.Consumed[id.String()] = map[string]string{}
			for name, amount := range amounts {
				seen.Consumed[id.String()][string(name)] = amount.String()
			}
		}
		seen.Classes, _ = classes.List()
		allocator, err := NewAllocator(ctx, features, state, classes, slices, cache)
		return &recorder{allocator, &mutex, file, seen}, err
	}
	allocatortesting.TestAllocator(t, SupportedFeatures, recording)
	allocatortesting.TestLexicographicalAllocator(t, SupportedFeatures, recording)
}
