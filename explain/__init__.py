"""Why a pod waits for devices: reads a cluster, and says which rule refuses what."""
