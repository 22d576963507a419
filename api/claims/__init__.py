"""ResourceClaims of every version of resource.k8s.io, read into one view.

What a version says differently stands in the module of its name, and nowhere else.
"""
