"""The settings that both programs share, as they are by default."""

from api.contract import FAKE
from ops.config import CommonConfig

DEFAULTS = CommonConfig(
    kubeconfig="",
    kube_api_qps=50.0,
    kube_api_burst=100,
    namespace="fake-system",
    http_endpoint="",
    metrics_path="/metrics",
    pprof_path="",
    logging_format="text",
    verbosity=2,
    normal_events=True,
    contract=FAKE,
)
