"""The kubelet plugin where kube-scheduler allocates: devices in ResourceSlices."""
