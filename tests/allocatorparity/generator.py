"""Clusters, claims and gates by chance: small, so that a difference can be read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeVar
from uuid import UUID

from allocation.gates import Gates
from api.objects import JSON

T = TypeVar("T")
NODES: Final = ("n0", "n1")
ZONES: Final = {"n0": "a", "n1": "b"}
DRIVERS: Final = ("a.example.com", "d.example.com", "z.example.com")
DOMAIN: Final = "d.example.com"
HELD: Final = "device.capacity[device.driver]"
OWN: Final = "device.attributes[device.driver]"
EXPRESSIONS: Final = (
    f'device.driver == "{DOMAIN}"',
    f'device.driver == "{DOMAIN}" && device.attributes["{DOMAIN}"].size == 1',
    f"has({OWN}.model) && {OWN}.model == 'm1'",
    f"{OWN}.?size.orValue(3) > 1",
    f"cel.bind(a, {OWN}, has(a.healthy) && a.healthy)",
    f'device.capacity["{DOMAIN}"].?memory.orValue(quantity("1Ki")).isGreaterThan(quantity("3Gi"))',
    f'!has({HELD}.memory) || {HELD}.memory.compareTo(quantity("4Gi")) >= 0',
    f'has({OWN}.firmware) && {OWN}.firmware.isGreaterThan(semver("1.1.0"))',
    f'{OWN}.exists(name, name == "size")',
    f'"size" in {OWN}',
    '"z.example.com" in device.attributes || true',
    f'{OWN}.?model.orValue("").lowerAscii().matches("^m[12]$")',
    "!device.allowMultipleAllocations",
    'has(device.attributes["nowhere.example.com"].x)',
    "true",
    "false",
)
FAILING: Final = (
    f"{OWN}.size == 1",
    f"{OWN}.model.startsWith('m')",
    f'device.attributes["{DOMAIN}"].model == "m1"',
    f"{OWN}.?model.orValue('') > 3",
    f'semver("1.0").major() == {OWN}.size',
    f"{OWN}.?model.orValue('x')",
)
UNKNOWN: Final = (
    "[1, 2].sum() == 3",
    f"{OWN}.all(k, v, v != 7)",
    '"abc".find("b") == "b"',
    "sets.contains([1], [1])",
)
ATTRIBUTES: Final = ("size", "model", "healthy", "firmware", "uuid", "other.example.com/size")
TAINTS: Final = (
    {"key": "sick", "value": "yes", "effect": "NoSchedule"},
    {"key": "sick", "value": "very", "effect": "NoExecute"},
    {"key": "odd", "effect": "None"},
)
TOLERATIONS: Final = (
    {"key": "sick", "operator": "Exists"},
    {"key": "sick", "operator": "Equal", "value": "yes", "effect": "NoSchedule"},
    {"operator": "Exists", "effect": "NoExecute"},
    {"operator": "Equal", "value": "yes"},
)
POLICIES: Final = (
    None,
    {"default": "1Gi", "validRange": {"min": "1Gi", "step": "1Gi"}},
    {"default": "2Gi", "validRange": {"min": "1Gi", "max": "4Gi"}},
    {"default": "2Gi", "validValues": ["2Gi", "4Gi", "6Gi"]},
    {"default": "1500Mi", "validRange": {"min": "500Mi", "step": "500Mi", "max": "3Gi"}},
    {"default": "9Gi"},
)
FRACTIONS: Final = (
    None,
    {"default": "500m", "validRange": {"min": "500m", "step": "500m", "max": "6"}},
    {"default": "1", "validRange": {"min": "1", "step": "2"}},
    {"default": "2", "validValues": ["1500m", "2", "4"]},
)
CORES: Final = ("1", "1200m", "2.5", "3", "7", "1e1", "10E")
AMOUNTS: Final = ("1Gi", "3Gi", "2500Mi", "1G", "8Gi", "100", "1.5Gi")


@dataclass(slots=True)
class Generator:
    """Makes cases, the same for the same seed."""

    random: Random
    devices: list[tuple[JSON, JSON]] = field(default_factory=list)

    def case(self) -> JSON:
        """Return a case."""
        gates = self._gates()
        slices = [each for pool in self._pools() for each in pool]
        self.random.shuffle(slices)
        self.devices = [
            (each["spec"], device) for each in slices for device in each["spec"].get("devices", ())
        ]
        classes = [self._class(f"c{number}") for number in range(self._count(1, 2))]
        return {
            "gates": dict(gates.named),
            "slices": slices,
            "classes": classes,
            "allocated": [self._holder(n) for n in range(self._count(0, 3))],
            "claims": [self._claim(n, classes) for n in range(self._one((1, 1, 2, 3)))],
        }

    def device(self) -> JSON:
        """Return a device that nothing keeps requests from."""
        found = self._device("dev-1", (), advanced=False)
        return {key: found[key] for key in ("name", "attributes", "capacity") if key in found}

    def _is(self, percent: float) -> bool:
        return self.random.random() * 100 < percent

    def _count(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def _one(self, of: Sequence[T]) -> T:
        return self.random.choice(of)

    def _some(self, of: Sequence[T], percent: float) -> list[T]:
        return [each for each in of if self._is(percent)]

    def _gates(self) -> Gates:
        named = Gates().named
        if self._is(70):
            return Gates()
        return Gates.of({name: on != self._is(25) for name, on in named.items()})

    def _pools(self) -> list[list[JSON]]:
        wanted = [(driver, f"p{n}") for driver in DRIVERS for n in (1, 9, 10)]
        return [self._pool(*each) for each in self.random.sample(wanted, self._count(1, 3))]

    def _pool(self, driver: str, name: str) -> list[JSON]:
        sets = [f"card-{n}" for n in range(self._count(1, 2))] if self._is(35) else []
        names = iter(f"dev-{n}" for n in self.random.sample(range(50), 24))
        advanced = self._is(10)
        bodies = [
            {
                "devices": [
                    self._device(next(names), sets, advanced) for _ in range(self._count(0, 5))
                ]
            }
            for _ in range(self._count(1, 2))
        ]
        if advanced:
            bodies = [{**each, "perDeviceNodeSelection": True} for each in bodies]
        if sets:
            bodies.append({"sharedCounters": [self._counters(each) for each in sets]})
        if self._is(3):
            bodies[0].setdefault("devices", []).append(self._device("dev-0", [], advanced))
            bodies[0]["devices"].append(self._device("dev-0", [], advanced))
        return self._slices(driver, name, bodies)

    def _slices(self, driver: str, name: str, bodies: list[JSON]) -> list[JSON]:
        place = self._place()
        count = len(bodies) + self._is(3)
        return [
            {
                "metadata": {"name": f"{self._count(0, 99):02}-{driver}-{name}-{number}"},
                "spec": {
                    "driver": driver,
                    "pool": {
                        "name": name,
                        "generation": 1 + self._is(2),
                        "resourceSliceCount": count,
                    },
                    **({} if body.get("perDeviceNodeSelection") else self._moved(place)),
                    **body,
                },
            }
            for number, body in enumerate(bodies)
        ]

    def _moved(self, place: JSON) -> JSON:
        return self._place() if self._is(5) else place

    def _place(self) -> JSON:
        if self._is(80):
            return {"nodeName": "n0"}
        expression = {"key": "zone", "operator": self._one(["In", "NotIn"]), "values": ["a"]}
        term = {"matchExpressions": [expression]}
        return self._one(
            [
                {"nodeName": "n1"},
                {"allNodes": True},
                {"nodeSelector": {"nodeSelectorTerms": [term]}},
            ]
        )

    def _counters(self, name: str) -> JSON:
        counters = {"units": {"value": str(self._count(2, 8))}}
        if self._is(30):
            counters["memory"] = {"value": self._one(["4Gi", "8Gi"])}
        return {"name": name, "counters": counters}

    def _device(self, name: str, sets: Sequence[str], advanced: bool) -> JSON:
        found: JSON = {"name": name}
        if attributes := {key: self._attribute(key, name) for key in self._some(ATTRIBUTES, 85)}:
            found["attributes"] = attributes
        if self._is(25):
            found["allowMultipleAllocations"] = True
        if self._is(70):
            found["capacity"] = self._capacities(bool(found.get("allowMultipleAllocations")))
        if sets and self._is(85):
            found["consumesCounters"] = [self._consumed(each) for each in self._some(sets, 60)]
        if self._is(15):
            found["taints"] = self._some(TAINTS, 60)
        if self._is(6):
            found["bindingConditions"] = ["ready"]
            found["bindingFailureConditions"] = ["failed"]
            found["bindsToNode"] = self._is(50)
        return {**found, **(self._place() if advanced else {})}

    def _attribute(self, key: str, name: str) -> JSON:
        values: dict[str, JSON] = {
            "size": {"int": self._count(1, 2)},
            "model": {"string": self._one(["m1", "M2"])},
            "healthy": {"bool": self._is(50)},
            "firmware": {"version": self._one(["1.0.0", "1.2.0", "1.2.0+build", "2.0.0-rc.1"])},
            "uuid": {"string": f"uuid-{name}"},
            "other.example.com/size": self._one([{"int": 1}, {"string": "1"}]),
        }
        return values[key]

    def _capacities(self, shared: bool) -> JSON:
        found = {"memory": self._capacity(("4Gi", "8Gi", "8G"), POLICIES if shared else (None,))}
        if self._is(30):
            found["cores"] = self._capacity(("8", "16"), FRACTIONS if shared else (None,))
        return found

    def _capacity(self, values: Sequence[str], policies: Sequence[JSON | None]) -> JSON:
        policy = self._one(policies)
        return {"value": self._one(values), **({"requestPolicy": policy} if policy else {})}

    def _consumed(self, counter_set: str) -> JSON:
        name = "nowhere" if self._is(1) else counter_set
        return {"counterSet": name, "counters": {"units": {"value": str(self._count(1, 4))}}}

    def _class(self, name: str) -> JSON:
        config = [self._opaque({"of": name})] if self._is(30) else []
        spec = {"selectors": self._selectors(20), "config": config}
        return {"metadata": {"name": name}, "spec": {k: v for k, v in spec.items() if v}}

    def _opaque(self, parameters: JSON) -> JSON:
        return {"opaque": {"driver": self._one(DRIVERS), "parameters": parameters}}

    def _selectors(self, percent: float) -> list[JSON]:
        found = self._some([self._one(EXPRESSIONS) for _ in range(2)], percent)
        found += self._some([self._one(FAILING)], 2) + self._some([self._one(UNKNOWN)], 0.5)
        return [{"cel": {"expression": each}} for each in found]

    def _claim(self, number: int, classes: Sequence[JSON]) -> JSON:
        names = [each["metadata"]["name"] for each in classes]
        requests = [self._request(f"r{n}", names) for n in range(self._one((1, 1, 2, 3)))]
        paths = [each["name"] for each in requests]
        paths += [f"{r['name']}/{s['name']}" for r in requests for s in r.get("firstAvailable", ())]
        devices: JSON = {"requests": requests}
        if self._is(25):
            devices["constraints"] = [self._constraint(paths) for _ in range(self._count(1, 2))]
        if self._is(30):
            devices["config"] = [self._config(paths, n) for n in range(self._count(1, 3))]
        meta = {"name": f"claim-{number}", "namespace": "default", "uid": f"uid-{number}"}
        return {"metadata": meta, "spec": {"devices": devices}}

    def _config(self, paths: Sequence[str], number: int) -> JSON:
        named = self._some(paths, 60)
        return {**({"requests": named} if named else {}), **self._opaque({"number": number})}

    def _constraint(self, paths: Sequence[str]) -> JSON:
        name = self._one([f"{DOMAIN}/model", f"{DOMAIN}/size", "other.example.com/size"])
        kind = "matchAttribute" if self._is(65) else "distinctAttribute"
        named = self._some(paths, 50)
        return {kind: name, **({"requests": named} if named else {})}

    def _request(self, name: str, classes: Sequence[str]) -> JSON:
        if self._is(20):
            number = self._count(1, 3)
            return {
                "name": name,
                "firstAvailable": [{"name": f"s{n}", **self._body(classes)} for n in range(number)],
            }
        body = self._body(classes)
        if self._is(10):
            body["adminAccess"] = True
        return {"name": name, "exactly": body}

    def _body(self, classes: Sequence[str]) -> JSON:
        found: JSON = {"deviceClassName": "missing" if self._is(1) else self._one(classes)}
        if self._is(10):
            found["allocationMode"] = "All"
        else:
            found["allocationMode"] = "ExactCount"
            found["count"] = 1 if self._is(65) else 20 if self._is(3) else self._count(2, 3)
        if chosen := self._selectors(15):
            found["selectors"] = chosen
        if self._is(15):
            found["tolerations"] = [self._one(TOLERATIONS)]
        if self._is(15):
            names = self._some(["memory", "cores", f"{DOMAIN}/memory"], 50)
            amounts = {each: self._one(CORES if each == "cores" else AMOUNTS) for each in names}
            found["capacity"] = {"requests": amounts}
        return found

    def _holder(self, number: int) -> JSON:
        results = [self._held(*self._one(self.devices))] if self.devices and self._is(95) else []
        meta = {"name": f"holder-{number}", "namespace": "default"}
        devices = {"requests": [{"name": "r", "exactly": {"deviceClassName": "c0"}}]}
        allocation = {"devices": {"results": results}}
        return {
            "metadata": meta,
            "spec": {"devices": devices},
            "status": {"allocation": allocation},
        }

    def _held(self, spec: JSON, device: JSON) -> JSON:
        result: dict[str, Any] = {
            "request": "r",
            "driver": spec["driver"],
            "pool": spec["pool"]["name"],
            "device": device["name"],
        }
        if device.get("allowMultipleAllocations") and self._is(90):
            result["shareID"] = str(UUID(int=self.random.getrandbits(128)))
            taken = {key: self._one(["1Gi", "2Gi"]) for key in self._some(["memory"], 70)}
            return {**result, **({"consumedCapacity": taken} if taken else {})}
        return {**result, **({"adminAccess": True} if self._is(10) else {})}
