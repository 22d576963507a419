"""The kubelet and the plugin: registration, calls for claims, and the sockets that carry them."""
