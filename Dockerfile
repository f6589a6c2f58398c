# The daemon with MLflow's slim client and PostgreSQL's driver: no compiler, no pip, no shell history, no root.
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
# No .git comes in here: the caller says the version, as in --build-arg VERSION="$(python3 .ci/version.py)".
ARG VERSION=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY .ci/requirements-core.txt .ci/requirements-build.txt .ci/
RUN python3 -m venv /opt/alerter \
    && /opt/alerter/bin/pip install --quiet --require-hashes -r .ci/requirements-core.txt \
    && /opt/alerter/bin/pip install --quiet --require-hashes -r .ci/requirements-build.txt --target /tmp/build
COPY .ci/version.py .ci/
COPY pyproject.toml README.md LICENSE ./
COPY alerter alerter
RUN ALERTER_VERSION="${VERSION}" PYTHONPATH=/tmp/build /opt/alerter/bin/pip install --quiet --no-deps --no-build-isolation . \
    && /opt/alerter/bin/pip uninstall --quiet --yes pip \
    && /opt/alerter/bin/python -m compileall -q /opt/alerter/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="mlflow-alerter" \
      org.opencontainers.image.description="Budget alerts for MLflow" \
      org.opencontainers.image.licenses="Apache-2.0"
# The base's own pip goes, too: nothing is installed here any more.
RUN useradd --system --uid 10001 --home-dir /var/lib/alerter --create-home --shell /usr/sbin/nologin alerter \
    && rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip
COPY --from=build /opt/alerter /opt/alerter
COPY config /etc/alerter
ENV PATH=/opt/alerter/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ALERTER_CONFIG=/etc/alerter
USER 10001
WORKDIR /var/lib/alerter
VOLUME /var/lib/alerter
EXPOSE 8321
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8321/healthz', timeout=4)"]
ENTRYPOINT ["alerter"]
CMD ["run"]
