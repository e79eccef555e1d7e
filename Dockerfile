# Two stages: the compiler that libvirt-python needs stays out of the image that runs.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv python3-dev gcc libc6-dev pkg-config libvirt-dev \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.txt /build/
RUN python3 -m venv /opt/vm-migrate/venv \
    && /opt/vm-migrate/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r /build/requirements.txt

FROM ${BASE}
# libvirt-clients and openssh-client: what qemu+ssh, qemu+tls and qemu+tcp connections are made with.
# tini: reaps what ssh leaves behind and hands signals on.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        python3 libvirt0 libvirt-clients openssh-client libsasl2-modules ca-certificates tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/vm-migrate vm-migrate \
    && install -d -o vm-migrate -g vm-migrate -m 0700 /var/lib/vm-migrate-spool
COPY --from=build /opt/vm-migrate/venv /opt/vm-migrate/venv
WORKDIR /opt/vm-migrate/app
COPY . .
ENV PATH=/opt/vm-migrate/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VM_MIGRATE_MODE=production \
    VM_MIGRATE_STATE_DIR=/var/lib/vm-migrate \
    VM_MIGRATE_SPOOL_DIR=/var/lib/vm-migrate-spool
# Collecting static files reads the settings, and production's are complete or refused: these are for this step
# only and reach neither a layer's environment nor the running product.
RUN VM_MIGRATE_SECRET_KEY=only-for-collecting-static-files \
    VM_MIGRATE_SECRET_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    VM_MIGRATE_ALLOWED_HOSTS=localhost DATABASE_URL=sqlite:////tmp/none REDIS_URL=redis://none \
    python manage.py collectstatic --noinput -v 0 \
    && python -m compileall -q vmmigrate hosts jobs
USER vm-migrate
VOLUME /var/lib/vm-migrate /var/lib/vm-migrate-spool
EXPOSE 8000
ENTRYPOINT ["tini", "--"]
CMD ["daphne", "--bind", "0.0.0.0", "--port", "8000", "--websocket_timeout", "-1", "--proxy-headers", "-v", "0", "vmmigrate.asgi:application"]
