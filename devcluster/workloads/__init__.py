"""The controllers of Deployments, ReplicaSets and Jobs, as kube-controller-manager has them.

`controller` finds out what to look at; of each kind one module decides (`rollout`, `replicas`,
`jobplan`) and one acts (`deployments`, `replicasets`, `jobs`).
"""
