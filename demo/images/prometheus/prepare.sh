#!/bin/bash
set -euo pipefail
[ -e /bin/sh ] || ln -s bash /bin/sh
cp /usr/share/base-passwd/passwd.master /etc/passwd
cp /usr/share/base-passwd/group.master /etc/group
sed -i 's/:\*:/:x:/' /etc/passwd
ldconfig
[ -e /bin/prometheus ] || ln -s /usr/bin/prometheus /bin/prometheus
install -d -o nobody -g nogroup /prometheus
rm /tmp/prepare.sh
