"""Programs that a test may add to a cluster that is up: a proxy for requests, and a balancer that announces addresses.

They are the real ones, at the versions that the folders under `programs/` pin, and are installed as their own manifests
do it, as far as a bed without registry lets them.
"""
