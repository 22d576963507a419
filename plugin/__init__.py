"""The kubelet plugin: advertises the node's devices, and prepares them for claims."""
