#!/usr/bin/env bash
# `make kind`: KubeFit on a kind cluster of this machine, and an example trained on it.
# docs/how-to/kind.md says why each step is there. A second run goes on from what it finds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

job=${1:-examples/01-digits/job.yaml}
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' operator/kubefit/api/version.py)

for program in docker kind kubectl helm; do
  if ! command -v "$program" >/dev/null; then
    echo "$program is not on the PATH: install it, docs/how-to/kind.md says which versions will do" >&2
    exit 1
  fi
done
if ! docker info >/dev/null 2>&1; then
  echo "no Docker engine answers \`docker info\`: start it, or have your user added to its group" >&2
  exit 1
fi

if ! kind get clusters | grep --quiet --line-regexp kubefit; then
  kind create cluster --name kubefit --wait 5m
fi
kind export kubeconfig --name kubefit

for target in operator trainer; do
  docker build --target "$target" --tag "ghcr.io/kubefit/$target:$version" .
  kind load docker-image "ghcr.io/kubefit/$target:$version" --name kubefit
done

helm upgrade --install kubefit charts/kubefit --namespace kubefit-system --create-namespace \
  --values charts/kubefit/values-kind.yaml --wait --timeout 5m

kubectl apply --filename deploy/kind/desk.yaml
kubectl wait --for=condition=Ready pod/desk --timeout 5m
python examples/01-digits/make_data.py runs/data/digits
kubectl cp runs/data/digits desk:/mnt/kubefit

kubectl delete --ignore-not-found --filename "$job"
kubefit submit "$job" --watch
