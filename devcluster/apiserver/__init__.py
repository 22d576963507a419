"""A Kubernetes API server in memory: REST, watches, subresources, validation, garbage collection.

Layers, each importing those below it:

    app, views/        HTTP and flask
    garbage            what follows from deletions, on a thread
    store, watch       verbs on objects, after the rules of their kinds
    rules/, strategy   one kind's rules, as functions of objects
    registry, kinds    what is served
    conversion         between what is stored and what a version shows
    storage            objects, revisions, history; knows no rules

Left out on purpose: authentication and authorisation (everybody may do everything), server-side
apply (415), webhooks, conversion between versions of custom resources (only `apiVersion` changes),
persistence.
"""
