"""KubeFit: model.fit on Kubernetes."""
