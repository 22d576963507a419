#!/usr/bin/env bash
# The minimum version of a CDI file counts the mounts and device nodes of its last device only
#
# Version: tags.cncf.io/container-device-interface v1.0.1, v1.1.0 and v1.1.2
#
# Expected: MinimumRequiredVersion gives the lowest version of the specification that knows all that a
# file uses: 0.4.0 for a mount with a type, 0.5.0 for a device node with a host path. SPEC.md names it
# for that. The order of the devices has no part in it.
#
# Seen: of the mounts and nodes of the devices only those of the last one count. With one more device
# that needs nothing, a file of 0.5.0 is said to be one of 0.3.0.
#   | devices host-path: minimum 0.5.0
#   | devices plain host-path: minimum 0.5.0
#   | devices host-path plain: minimum 0.3.0
#   | devices mount-type plain: minimum 0.3.0
#   | devices host-path mount-type: minimum 0.4.0
# All three versions say this. The function takes the address of a loop variable, and go.mod of the
# module specs-go says "go 1.19", so no newer compiler gives each round a variable of its own. Told to:
#   | devices host-path: minimum 0.5.0
#   | devices plain host-path: minimum 0.5.0
#   | devices host-path plain: minimum 0.5.0
#   | devices mount-type plain: minimum 0.4.0
#   | devices host-path mount-type: minimum 0.5.0
#
# Why it matters: a driver that asks for the version writes one that falls when a device is added, and
# promises readers of old versions a file whose fields they do not know. Ask for each device in a file
# of its own, and take the highest answer.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > main.go <<'GO'
package main

import (
	"fmt"
	"strings"

	specs "tags.cncf.io/container-device-interface/specs-go"
)

const kind = "example.com/gpu"

func check(err error) {
	if err != nil {
		panic(err)
	}
}

var edits = map[string]specs.ContainerEdits{
	"plain":      {Env: []string{"GPU=1"}},
	"host-path":  {DeviceNodes: []*specs.DeviceNode{{Path: "/dev/full", HostPath: "/dev/zero"}}},
	"mount-type": {Mounts: []*specs.Mount{{HostPath: "/tmp", ContainerPath: "/data", Type: "bind"}}},
}

func named(names []string) (devices []specs.Device) {
	for _, name := range names {
		devices = append(devices, specs.Device{Name: name, ContainerEdits: edits[name]})
	}
	return devices
}

func show(names ...string) {
	version, err := specs.MinimumRequiredVersion(&specs.Spec{Kind: kind, Devices: named(names)})
	check(err)
	fmt.Printf("devices %s: minimum %s\n", strings.Join(names, " "), version)
}

func main() {
	show("host-path")
	show("plain", "host-path")
	show("host-path", "plain")
	show("mount-type", "plain")
	show("host-path", "mount-type")
}
GO

for version in v1.0.1 v1.1.0 v1.1.2; do
    cat > go.mod <<MOD
module finding

go 1.26

require tags.cncf.io/container-device-interface $version
MOD
    rm -f go.sum
    go build -mod=mod -o program .
    go list -m tags.cncf.io/container-device-interface tags.cncf.io/container-device-interface/specs-go
    ./program > "seen-$version"
    cmp "seen-$version" seen-v1.0.1
done
go build -mod=mod -gcflags=tags.cncf.io/container-device-interface/specs-go=-d=loopvar=1 -o program .
{
    cat seen-v1.1.2
    ./program
} | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
