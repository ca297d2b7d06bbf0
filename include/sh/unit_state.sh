# How systemd sees one unit, in lines of "Key=value", for clo_ops.probes.services. POSIX sh; reads only.
# Argument: the unit.
command -v systemctl >/dev/null 2>&1 || { echo "this host has no systemctl" >&2; exit 3; }
systemctl show --no-pager --property=LoadState,ActiveState,SubState,Result,ExecMainStatus -- "$1"
