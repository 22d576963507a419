"""Kubernetes protobuf: the bytes in which programs in Go send and read objects of built-in kinds.

Nothing else in `api` imports this, so that only those need a wire library who speak it.
Source: apimachinery pkg/runtime/serializer/protobuf.
"""
