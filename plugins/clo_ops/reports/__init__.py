"""Tell. Reports are made from the ledger."""
