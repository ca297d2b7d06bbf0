#!/bin/bash
set -euo pipefail
[ -e /bin/sh ] || ln -s bash /bin/sh
chmod 755 /usr/local/bin/docker-entrypoint.sh
cp /usr/share/base-passwd/passwd.master /etc/passwd
cp /usr/share/base-passwd/group.master /etc/group
echo 'redis:x:999:999::/data:/bin/sh' >>/etc/passwd
echo 'redis:x:999:' >>/etc/group
sed -i 's/:\*:/:x:/' /etc/passwd
ldconfig
install -d -o redis -g redis /data
rm /tmp/prepare.sh
