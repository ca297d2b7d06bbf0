"""Act: take a backup with its manifest, remove what rotation says is due. Both safe to kill at any instant."""
