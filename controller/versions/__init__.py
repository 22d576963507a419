"""What differs between the versions of resource.k8s.io."""
