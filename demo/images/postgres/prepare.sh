#!/bin/bash
# What the packages' maintainer scripts would have done, as far as the image needs it. Runs once, as root, in the build.
set -euo pipefail
[ -e /bin/sh ] || ln -s bash /bin/sh
chmod 755 /usr/local/bin/docker-entrypoint.sh
cp /usr/share/base-passwd/passwd.master /etc/passwd
cp /usr/share/base-passwd/group.master /etc/group
echo 'postgres:x:999:999::/var/lib/postgresql:/bin/bash' >>/etc/passwd
echo 'postgres:x:999:' >>/etc/group
sed -i 's/:\*:/:x:/' /etc/passwd
ldconfig
localedef -i en_US -c -f UTF-8 -A /usr/share/locale/locale.alias en_US.UTF-8
install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data
[ -L /var/run ] || { rm -rf /var/run; ln -s /run /var/run; }
install -d -o postgres -g postgres -m 3777 /run/postgresql
mkdir -p /docker-entrypoint-initdb.d
# Listen on every address once initialised, as the official image does.
sample="/usr/share/postgresql/$(ls /usr/share/postgresql | head -n 1)/postgresql.conf.sample"
sed -ri "s!^#?(listen_addresses)\s*=\s*\S+.*!\1 = '*'!; s!^#?(unix_socket_directories)\s*=.*!\1 = '/var/run/postgresql'!" "$sample"
grep -qF "listen_addresses = '*'" "$sample"
rm /tmp/prepare.sh
