"""The operator's process: the only place that knows kopf and talks to the Kubernetes API."""
