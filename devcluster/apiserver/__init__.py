"""A Kubernetes API server in memory: REST, watches, subresources, validation, garbage collection.

Layers, each importing those below it:

    app, views/        HTTP and flask
    garbage            what follows from deletions, on a thread
    store, watch       verbs on objects, after the rules of their kinds
    rules/, strategy   one kind's rules, as functions of objects
    registry, kinds    what is served
    storage            objects, revisions, history; knows no rules

Left out on purpose: authentication and authorisation (everybody may do everything), server-side
apply (415), webhooks, conversion between versions (only `apiVersion` changes), persistence.
"""
