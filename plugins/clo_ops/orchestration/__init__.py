"""Where asking, judging, recording and telling become Airflow tasks."""
