# Airflow with CLO Ops in it: the locked packages, the DAGs, the package, the policy, and PostgreSQL's client programs.
#
#   docker-compose build                              compose does it; `docker build -t clo-ops:local .` is the same
#   --build-arg POSTGRES_MAJOR=17                     pg_dump and pg_restore of your server's major version
#   --build-arg PIP_INDEX_URL=https://...             a package index of your own
#   certificates/<name>.crt beside this file          one more certificate authority, where a proxy has its own
FROM python:3.11-slim-bookworm

ARG POSTGRES_MAJOR=15
ARG PIP_INDEX_URL=

# Optional by its pattern: without such a file only the lock is copied.
COPY requirements.lock certificate[s]/*.crt /tmp/build/

# libpango and libharfbuzz-subset: what WeasyPrint draws a report's PDF with. pg_dump must not be older than the server:
# another major than Debian's own comes from PostgreSQL's repository.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    && for file in /tmp/build/*.crt; do \
        if [ -e "$file" ]; then cp "$file" /usr/local/share/ca-certificates/; fi; done \
    && update-ca-certificates \
    && if [ "$POSTGRES_MAJOR" != 15 ]; then \
        apt-get install -y --no-install-recommends postgresql-common \
        && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y; fi \
    && apt-get install -y --no-install-recommends "postgresql-client-$POSTGRES_MAJOR" \
    && rm -rf /var/lib/apt/lists/*

# Compiled here: nobody may write there later, and without bytecode each start of Airflow takes twice as long.
RUN export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    && if [ -n "$PIP_INDEX_URL" ]; then export UV_DEFAULT_INDEX="$PIP_INDEX_URL"; else unset PIP_INDEX_URL; fi \
    && pip install --no-cache-dir uv==0.13.9 \
    && uv pip install --system --no-cache --compile-bytecode --require-hashes -r /tmp/build/requirements.lock \
    && pip uninstall -y uv && rm -r /tmp/build

RUN useradd --uid 50000 --create-home --home-dir /opt/airflow airflow \
    && for place in evidence logs state demo backups; do \
        install -d -o airflow -g airflow -m 700 "/opt/airflow/$place"; done
ENV AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/clo-ops/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/clo-ops/plugins \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
    GX_ANALYTICS_ENABLED=false \
    PYTHONPATH=/opt/clo-ops/plugins:/opt/clo-ops \
    PYTHONUNBUFFERED=1

COPY dags /opt/clo-ops/dags
COPY plugins /opt/clo-ops/plugins
COPY include /opt/clo-ops/include
COPY demo /opt/clo-ops/demo
RUN python -m compileall -q /opt/clo-ops

USER airflow
WORKDIR /opt/airflow
ENTRYPOINT ["python", "-m", "airflow"]
