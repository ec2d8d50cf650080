#!/bin/sh
# Makes the root of the image: collect.sh PROGRAM ROOT puts the program, stripped, the libraries that it is linked with,
# the authorities that backends' certificates are verified by, and a user into ROOT. Nothing else: no shell, no package.
set -eu

program=$1
root=$2
user=65532

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/etc/postern" "$root/run" "$root/var/lib/postern"
strip -o "$root/usr/bin/postern" "$program"
ldd "$program" | sed -nE 's/.*(=> |^[[:space:]]+)(\/[^ ]+) \(0x.*/\2/p' | sort -u | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
# Names of hosts: from /etc/hosts and DNS.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo "postern:x:$user:$user:Postern:/nonexistent:/nonexistent" >"$root/etc/passwd"
echo "postern:x:$user:" >"$root/etc/group"
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi
chmod 0755 "$root"
chown "$user:$user" "$root/var/lib/postern"
