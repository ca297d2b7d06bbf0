# Airflow with CLO Ops in it: the locked packages, the DAGs, the package and the policy.
FROM python:3.11-slim-bookworm

RUN useradd --uid 50000 --create-home --home-dir /opt/airflow airflow
ENV AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/clo-ops/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/clo-ops/plugins \
    PYTHONPATH=/opt/clo-ops/plugins:/opt/clo-ops \
    PYTHONUNBUFFERED=1

# What WeasyPrint draws a report's PDF with.
RUN apt-get update && apt-get install -y --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    && rm -rf /var/lib/apt/lists/*

COPY requirements.lock /tmp/requirements.lock
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.lock && rm /tmp/requirements.lock

COPY dags /opt/clo-ops/dags
COPY plugins /opt/clo-ops/plugins
COPY include /opt/clo-ops/include
COPY demo /opt/clo-ops/demo

RUN mkdir -p /opt/airflow/evidence /opt/airflow/logs /opt/airflow/state && chown -R airflow:airflow /opt/airflow
USER airflow
WORKDIR /opt/airflow
ENTRYPOINT ["python", "-m", "airflow"]
