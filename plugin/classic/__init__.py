"""The kubelet plugin where a controller allocates: devices and claims in a NodeAllocationState."""
