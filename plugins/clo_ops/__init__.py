"""CLO Ops: the operations manual of a CLO Management System, run by Apache Airflow.

Every procedure goes the same way: ask (probes), judge (rules), act (actions), record (ledger), tell (reports).
"""
