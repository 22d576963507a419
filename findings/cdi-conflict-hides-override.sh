#!/usr/bin/env bash
# Two CDI files of the static directory take away the device that the dynamic directory overrides
#
# Version: tags.cncf.io/container-device-interface v1.1.2
#
# Expected: the directories of CDI files have priorities; by default /var/run/cdi, where drivers write,
# beats /etc/cdi. The documentation of the package says that when several files define the same
# device, the definition of the file with the highest priority is chosen. So a file in the second
# directory decides, whatever lies in the first.
#
# Seen: it does when the first directory has one definition, and not when it has two. Then the device
# is gone for all, though the only file of the highest priority is good and the two that disagree
# would lose in any case. The errors name the two files, not the one that was lost. That they say the
# same does not help, nor that one is a hidden file.
#   | low: -                      high: gpu.json   -> GPU=high/gpu.json
#   | low: gpu.json               high: gpu.json   -> GPU=high/gpu.json
#   | low: gpu.json old.json      high: -          -> unresolvable CDI devices example.com/gpu=0
#   | low: gpu.json old.json      high: gpu.json   -> unresolvable CDI devices example.com/gpu=0
#   | low: gpu.json .gpu.json     high: gpu.json   -> unresolvable CDI devices example.com/gpu=0
#   | low: gpu.json gpu.json.old  high: gpu.json   -> GPU=high/gpu.json
#   | files with errors: low/gpu.json low/old.json
#
# Why it matters: a copy that somebody keeps beside a generated file in /etc/cdi, with an ending that
# is read, stops every container that a DRA driver prepares under the same device names, and a look
# at the driver's own file shows nothing wrong. Drivers should use a kind or device names that no
# static file has.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > go.mod <<'MOD'
module finding

go 1.26

require tags.cncf.io/container-device-interface v1.1.2
MOD

cat > main.go <<'GO'
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	oci "github.com/opencontainers/runtime-spec/specs-go"
	"tags.cncf.io/container-device-interface/pkg/cdi"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// write makes a directory of CDI files, each of which defines device 0 and says in GPU who it is.
func write(dir string, names []string) {
	check(os.RemoveAll(dir))
	check(os.Mkdir(dir, 0o755))
	for _, name := range names {
		path := filepath.Join(dir, name)
		spec := `{"cdiVersion": "0.6.0", "kind": "example.com/gpu", "devices": [
			{"name": "0", "containerEdits": {"env": ["GPU=` + path + `"]}}]}`
		check(os.WriteFile(path, []byte(spec), 0o644))
	}
}

// inject returns what a container that asks for device 0 gets, and which files have errors.
func inject() (string, []string) {
	cache, err := cdi.NewCache(cdi.WithSpecDirs("low", "high"), cdi.WithAutoRefresh(false))
	check(err)
	container := &oci.Spec{Process: &oci.Process{}}
	_, err = cache.InjectDevices(container, "example.com/gpu=0")
	wrong := slices.Sorted(maps.Keys(cache.GetErrors()))
	if err != nil {
		return err.Error(), wrong
	}
	return container.Process.Env[0], wrong
}

func show(low, high []string) (wrong []string) {
	write("low", low)
	write("high", high)
	result, wrong := inject()
	text := func(names []string) string {
		if len(names) == 0 {
			return "-"
		}
		return strings.Join(names, " ")
	}
	fmt.Printf("low: %-22s high: %-10s -> %s\n", text(low), text(high), result)
	return wrong
}

func main() {
	good := []string{"gpu.json"}
	show(nil, good)
	show(good, good)
	show([]string{"gpu.json", "old.json"}, nil)
	wrong := show([]string{"gpu.json", "old.json"}, good)
	show([]string{"gpu.json", ".gpu.json"}, good)
	show([]string{"gpu.json", "gpu.json.old"}, good)
	fmt.Println("files with errors:", strings.Join(wrong, " "))
}
GO

go build -mod=mod -o program .
go list -m tags.cncf.io/container-device-interface
./program | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
