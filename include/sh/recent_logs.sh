# The newest lines of a host's journal from warning upwards, for clo_ops.probes.logs. POSIX sh; reads only.
# Arguments: how many minutes back, and at most how many lines.
if command -v journalctl >/dev/null 2>&1; then
  journalctl --no-pager --quiet --output=short-iso --priority=warning --since="-$1 min" --lines="$2"
elif [ -r /var/log/syslog ]; then
  tail -n "$2" /var/log/syslog
elif [ -r /var/log/messages ]; then
  tail -n "$2" /var/log/messages
else
  echo "this host has no journal and no readable /var/log/syslog or /var/log/messages" >&2
  exit 3
fi
