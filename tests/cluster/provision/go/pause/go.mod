module kubefit.dev/provision/pause

go 1.25.0
