"""Tests of drivers: a kubelet, an API server and a clock for anybody's, by a pytest plugin."""
