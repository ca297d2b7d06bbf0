"""Judge. Pure functions from measurements and policy to findings: no I/O, no Airflow, no clock of their own."""
