"""A whole small cluster in one process: API server, scheduler, claim controller and kubelets.

Made for laptops, demos and tests. The driver's two programs never import it; they run beside it
as they run in any cluster, and meet it through the API server, the sockets and the CDI directory.
"""
