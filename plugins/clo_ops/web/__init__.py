"""The operations page inside the Airflow UI, mounted at /clo-ops by the plugin in the API server only."""
