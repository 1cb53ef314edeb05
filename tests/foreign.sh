#!/bin/sh
# Programs of others that the tests talk to. On Debian as root they are installed; elsewhere what is missing is named.
PATH="$PATH:/usr/sbin:/sbin" # where sshd is
missing=""
for pair in sshd:openssh-server unzip:unzip xmlsec1:xmlsec1 jose:jose xmllint:libxml2-utils openssl:openssl \
    php:php-cli postfix:postfix dovecot:dovecot-imapd faketime:faketime proftpd:proftpd-core systemd-analyze:systemd \
    nginx:nginx-light haproxy:haproxy tinyproxy:tinyproxy lighttpd:lighttpd; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -e /usr/lib/proftpd/mod_sftp.so ] || missing="$missing proftpd-mod-crypto"

perl -MSOAP::Lite -MMIME::Entity -e1 2>/dev/null || missing="$missing libsoap-lite-perl libmime-tools-perl"
/usr/bin/python3 -c 'import suds' 2>/dev/null || missing="$missing python3-suds"
php -m 2>/dev/null | grep -qx soap || missing="$missing php-soap"
# npm's SOAP client: pinned by its lock, installed beside it.
node="$(dirname "$0")/foreign/node"
if command -v npm >/dev/null 2>&1 && [ ! -d "$node/node_modules/soap" ]; then
    echo "Installing for the tests: npm's soap"
    (cd "$node" && npm ci --no-audit --no-fund --ignore-scripts >/dev/null 2>&1) || echo "npm's soap cannot be installed" >&2
fi
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing for the tests:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    (apt-get install -y -qq $missing || { apt-get update -qq && apt-get install -y -qq $missing; }) >/dev/null 2>&1 && exit 0
fi
echo "Missing for some tests (install them with your package manager):$missing" >&2
[ "${CI:-}" = true ] && exit 1
exit 0
