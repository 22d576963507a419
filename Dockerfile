# One image with all programs; the command chooses fake-dra-controller, fake-dra-kubeletplugin,
# fake-dra-webhook or fake-dra.
# Both stages use the same base, since a virtual environment is tied to the Python it was made with.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
# An index other than pip's own, as --build-arg PIP_INDEX_URL=...; it does not reach the image.
ARG PIP_INDEX_URL
WORKDIR /src
COPY . .
# Compiled here, since the programs run with a read-only root file system; without the embedded
# cluster, and with the library by which fake-dra explains.
RUN python3 -m venv /opt/fake-dra-driver \
    && FAKE_DRA_PARTS=programs /opt/fake-dra-driver/bin/python -m pip install --no-cache-dir --disable-pip-version-check '.[explain]' \
    && /opt/fake-dra-driver/bin/python -m pip uninstall --yes pip setuptools

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fake-dra-driver" \
      org.opencontainers.image.description="Dynamic Resource Allocation drivers for fake devices, classic and structured" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# One arena of malloc instead of one per thread saves a mebibyte and a half; the interpreter's lock
# lets threads allocate in turn anyway.
ENV PATH="/opt/fake-dra-driver/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=1
COPY --from=build /opt/fake-dra-driver /opt/fake-dra-driver
# The chart runs the kubelet plugin as root without capabilities: the host's directories need it.
USER 65532:65532
