"""What a driver shows of a claim's devices in `status.devices` of the ResourceClaim."""
