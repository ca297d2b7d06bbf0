-- purpose: the receipt, as a row of the chain, of rows that leave for the archive; the one there is, where there is one
-- procedure: WM-03
-- columns: number bigint, audit_id bigint, previous text, receipt_hash text, written_at timestamptz
-- privilege: EXECUTE on audit_receipt
-- access: writes
select number, audit_id, previous, receipt_hash, written_at
  from audit_receipt(%(first_id)s, %(last_id)s, %(rows)s, %(prev_hash)s, %(last_hash)s, %(archive)s, %(manifest_sha256)s)
