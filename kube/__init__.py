"""A small client-go: client, watch caches, work queue and events on raw JSON objects.

Knows nothing of Dynamic Resource Allocation, and is the only package that talks to `kubernetes`.
"""
