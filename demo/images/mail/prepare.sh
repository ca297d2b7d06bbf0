#!/bin/bash
set -euo pipefail
[ -e /bin/sh ] || ln -s bash /bin/sh
chmod 755 /usr/local/bin/docker-entrypoint.sh
cp /usr/share/base-passwd/passwd.master /etc/passwd
cp /usr/share/base-passwd/group.master /etc/group
echo 'postfix:x:100:101::/var/spool/postfix:/usr/sbin/nologin' >>/etc/passwd
printf '%s\n' 'postfix:x:101:' 'postdrop:x:102:' >>/etc/group
sed -i 's/:\*:/:x:/' /etc/passwd
ldconfig
[ -L /var/run ] || { rm -rf /var/run; ln -s /run /var/run; }
cp -n /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
printf '%s\n' 'compatibility_level = 3.6' >/etc/postfix/main.cf
newaliases 2>/dev/null || :
chown postfix:postfix /var/lib/postfix
chgrp postdrop /usr/sbin/postqueue /usr/sbin/postdrop
chmod 2755 /usr/sbin/postqueue /usr/sbin/postdrop
ln -sf ../sbin/sendmail /usr/lib/sendmail
rm /tmp/prepare.sh
