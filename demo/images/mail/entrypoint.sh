#!/bin/bash
# ALLOWED_SENDER_DOMAINS (blank-separated; nothing else is accepted as a sender), RELAYHOST (empty: straight to the
# recipients' servers), RELAYHOST_USERNAME and RELAYHOST_PASSWORD. Takes mail on port 587 from private networks only.
set -euo pipefail
if [ "$1" != postfix ]; then exec "$@"; fi
: "${ALLOWED_SENDER_DOMAINS:?set ALLOWED_SENDER_DOMAINS}"
allowed=""
for domain in $ALLOWED_SENDER_DOMAINS; do allowed="$allowed { $domain = OK }"; done
postconf -e "myhostname = $(hostname)" 'mydestination =' 'maillog_file = /dev/stdout' 'smtputf8_enable = yes' \
    'inet_protocols = all' 'alias_maps =' 'biff = no' 'message_size_limit = 33554432' \
    'mynetworks = 127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16' \
    "relayhost = ${RELAYHOST:-}" \
    'smtpd_relay_restrictions = permit_mynetworks, reject' \
    "smtpd_sender_restrictions = check_sender_access inline:{$allowed }, reject" \
    'smtp_tls_security_level = may'
if [ -n "${RELAYHOST_USERNAME:-}" ]; then
    (umask 077; printf '%s %s:%s\n' "$RELAYHOST" "$RELAYHOST_USERNAME" "${RELAYHOST_PASSWORD:?set RELAYHOST_PASSWORD}" \
        >/etc/postfix/relay_password)
    postconf -e 'smtp_sasl_auth_enable = yes' 'smtp_sasl_password_maps = texthash:/etc/postfix/relay_password' \
        'smtp_sasl_security_options = noanonymous' 'smtp_tls_security_level = encrypt'
fi
postconf -MX smtp/inet 2>/dev/null || :
postconf -Me '587/inet = 587 inet n - n - - smtpd'
postconf -F '*/*/chroot = n'
exec "$@"
