"""Measures a classic DRA controller and kubelet plugin against what is possible at all.

Plays scheduler, claim controller and kubelet. Whatever it reports is also given as a ratio to the
floor, a client that makes only the unavoidable writes, measured in the same run on the same server.
"""
