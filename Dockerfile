# pbxcore with Debian testing's own Asterisk. State lives in /var/lib/pbxcore.
#
#   docker build -t pbxcore .
#   docker run --network host -v pbxcore:/var/lib/pbxcore -e PBXCORE_BIND=192.0.2.10 pbxcore
#
# SIP and RTP want the host's network; PBXCORE_BIND is the address that phones reach.
FROM debian:forky-slim

RUN apt-get update \
 && apt-get install --yes --no-install-recommends asterisk espeak-ng sip-tester python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --home-dir /var/lib/pbxcore --create-home pbxcore

WORKDIR /srv/pbxcore
COPY requirements.lock ./
# For builds without a way to an index: --build-arg PIP_ARGS="--no-index --find-links /wheels" -v "$PWD/wheels:/wheels:ro"
ARG PIP_ARGS=""
RUN python3 -m venv .venv \
 && .venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: $PIP_ARGS -r requirements.lock

COPY LICENSE README.md pyproject.toml ./
COPY dialplan dialplan
COPY rating rating
COPY pbxcore pbxcore
COPY asterisk-conf asterisk-conf
COPY config config
# The code runs from here; the lock brings the builder, so nothing more is downloaded.
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
 && ln -s /srv/pbxcore/.venv/bin/pbxcore /usr/local/bin/pbxcore

USER pbxcore
ENV PBXCORE_STATE=/var/lib/pbxcore PBXCORE_CONFIG=/srv/pbxcore/config PYTHONDONTWRITEBYTECODE=1
VOLUME /var/lib/pbxcore
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --start-period=60s \
  CMD ["/srv/pbxcore/.venv/bin/python", "-c", "import sys; from pbxcore.machine.running import running; sys.exit(running() is None)"]
ENTRYPOINT ["pbxcore"]
CMD ["run"]
