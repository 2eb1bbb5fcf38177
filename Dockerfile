# Targets: operator, trainer (CPU), trainer-gpu. Each image installs one lock of requirements/ and
# then the project's own wheel, so that a change of sources rebuilds the last layer only. A lock is
# complete: `--no-deps` keeps pip from asking for `tensorflow` beside tensorflow-cpu. What fetches
# packages may be given the secrets `pip`, a configuration of pip, and `ca`, certificates that it
# names (docs/how-to/build-and-verify.md); without them pip finds no such file, and takes its own.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS wheel
RUN --mount=type=secret,id=pip --mount=type=secret,id=ca python3 -m venv /opt/build \
    && PIP_CONFIG_FILE=/run/secrets/pip /opt/build/bin/pip install --no-cache-dir --quiet build hatchling
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
COPY trainer trainer
RUN /opt/build/bin/python -m build --no-isolation --wheel --outdir /wheels .

FROM ${BASE} AS base
RUN command -v tini >/dev/null || (apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends tini && rm -rf /var/lib/apt/lists/*)
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp USER=kubefit PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
LABEL org.opencontainers.image.title="KubeFit" \
      org.opencontainers.image.description="Keras model.fit on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /tmp

FROM base AS operator-requirements
COPY requirements/operator.txt /opt/
RUN --mount=type=secret,id=pip --mount=type=secret,id=ca PIP_CONFIG_FILE=/run/secrets/pip \
    pip install --no-cache-dir --quiet --require-hashes --no-deps -r /opt/operator.txt

FROM operator-requirements AS operator
COPY --from=wheel /wheels /opt/wheels
RUN pip install --no-cache-dir --quiet --no-deps --no-index /opt/wheels/*.whl
USER 65532:65532
ENTRYPOINT ["tini", "--", "python", "-m", "kubefit.controller"]

FROM base AS trainer-requirements
COPY requirements/trainer.txt /opt/
RUN --mount=type=secret,id=pip --mount=type=secret,id=ca PIP_CONFIG_FILE=/run/secrets/pip \
    pip install --no-cache-dir --quiet --require-hashes --no-deps -r /opt/trainer.txt

FROM trainer-requirements AS trainer
COPY --from=wheel /wheels /opt/wheels
RUN pip install --no-cache-dir --quiet --no-deps --no-index /opt/wheels/*.whl
RUN python -m kubefit_trainer.keras_multiworker.selftest
USER 65532:65532
ENTRYPOINT ["tini", "--", "python", "-m", "kubefit_trainer.agent"]

FROM base AS trainer-gpu-requirements
COPY requirements/trainer-gpu.txt /opt/
RUN --mount=type=secret,id=pip --mount=type=secret,id=ca PIP_CONFIG_FILE=/run/secrets/pip \
    pip install --no-cache-dir --quiet --require-hashes --no-deps -r /opt/trainer-gpu.txt

FROM trainer-gpu-requirements AS trainer-gpu
COPY --from=wheel /wheels /opt/wheels
RUN pip install --no-cache-dir --quiet --no-deps --no-index /opt/wheels/*.whl
RUN python -m kubefit_trainer.keras_multiworker.selftest
USER 65532:65532
ENTRYPOINT ["tini", "--", "python", "-m", "kubefit_trainer.agent"]
