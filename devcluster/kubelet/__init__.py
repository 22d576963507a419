"""A small kubelet: one object per virtual node, with sockets, CDI files and real processes.

It speaks to DRA drivers as the kubelet of the chosen Kubernetes minor does. Containers are local
processes without any isolation; images, volumes and networks do not exist here.
"""
