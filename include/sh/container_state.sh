# How the container engine sees one container, as JSON of its State, for clo_ops.probes.services. POSIX sh; reads only.
# Argument: the container's name or id.
command -v docker >/dev/null 2>&1 || { echo "this host has no docker client" >&2; exit 3; }
docker container inspect --format '{{json .State}}' -- "$1"
