#!/bin/bash
# As the official image: options alone mean redis-server; the server itself runs as redis, and is not in protected mode.
set -euo pipefail
if [ "${1:0:1}" = - ] || [ "${1##*.}" = conf ]; then set -- redis-server "$@"; fi
if [ "$1" = redis-server ]; then
    set -- "$@" --protected-mode no
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis '{}' +
        exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
    fi
fi
exec "$@"
