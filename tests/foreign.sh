#!/bin/sh
# Programs of others that the tests talk to. On Debian as root they are installed; elsewhere what is missing is named.
missing=""
for pair in xmlsec1:xmlsec1 jose:jose xmllint:libxml2-utils openssl:openssl postfix:postfix dovecot:dovecot-imapd; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
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
