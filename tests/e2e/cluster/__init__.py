"""A real single-node Kubernetes on a plain Linux machine, for the end-to-end tests.

No Docker and no virtual machine: the programs of Kubernetes and containerd are built from their Go
modules, the rest comes from the distribution and from pip. The node lives in a network namespace of
its own, where nothing reaches the outside. Root is needed, and no other kubelet may run.

    python -m tests.e2e.cluster build --k8s 1.30
    python -m tests.e2e.cluster up --k8s 1.30
    export KUBECONFIG=$(python -m tests.e2e.cluster kubeconfig)

Tests use `tests.e2e.cluster.cluster.Cluster` instead of the command line. One idea to a module:

    cluster         the cluster as a whole; what fixtures use
    layout          where everything is on this machine
    versions        which versions of Kubernetes, and what claims need in each
    packages        programs of the distribution
    gobuild         programs out of Go modules
    commands        running programs to their end, and telling how long it took
    components      the programs of the cluster, by name
    administrator   what the cluster is asked through kubectl
    daemons         programs that stay, by pid file
    processes       which processes belong to the pods of the node
    footprint       what the node leaves on the host outside its own directory
    mounts          unmounting what pods left
    network         the network namespace of the node
    certificates    certificate authority, certificates, kubeconfigs
    controlplane    etcd, API server, scheduler, controller manager
    audit           what the API server writes down of requests
    containerd      the container runtime
    kubelet         the kubelet
    archives        images written file by file
    images          the images that every node has
    imagebuild      images out of a Dockerfile
    errors          what can go wrong
"""
