#!/usr/bin/env bash
# The demonstration behind ./dev run: tools/demo.sh POSTERN LEGACY_SERVER [--once]
# Everything is on 127.0.0.1, in a temporary folder, and gone at the end. --once: without serving until Ctrl-C.
set -euo pipefail

postern=$(realpath "$1")
legacy=$(realpath "$2")
once=${3:-}
folder=$(mktemp -d -t postern-demo.XXXXXX)
started=()

cleanup() {
  trap - EXIT INT TERM
  [ "${#started[@]}" = 0 ] || kill "${started[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT
trap 'echo; exit 0' INT TERM

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The ports' last three digits are the well-known ones; the thousands are the first for which all are free.
choose_base() {
  local base port
  for base in 10000 11000 12000 20000 21000 22000 30000; do
    for port in 143 110 465 587 993 995 190 25 1143 1110 1025; do
      taken $((base + port)) && continue 2
    done
    echo $base
    return
  done
  echo "no free ports" >&2
  exit 1
}

# wait_for WORD FILE PID: until the file holds the word, as often as the third word says.
wait_for() {
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    [ "$(grep -c -- "$1" "$2" || true)" -ge "${4:-1}" ] && return
    kill -0 "$3" 2>/dev/null || break
    sleep 0.05
  done
  cat "$2" >&2
  exit 1
}

base=$(choose_base)
imaps=$((base + 993)) pop3s=$((base + 995)) smtps=$((base + 465))
imap=$((base + 143)) pop3=$((base + 110)) submission=$((base + 587)) admin=$((base + 190))
backend_imap=$((base + 1143)) backend_pop3=$((base + 1110)) backend_smtp=$((base + 1025))

"$postern" cert self-signed --name localhost --key "$folder/key.pem" --chain "$folder/chain.pem" >/dev/null
cat >"$folder/postern.yaml" <<END
tls:
  certificates:
    - { chain: $folder/chain.pem, key: $folder/key.pem }
admin: { address: "127.0.0.1:$admin" }
drain_timeout: 2s
listeners:
  - { protocol: imap, address: "127.0.0.1:$imaps", tls: implicit, backend: "127.0.0.1:$backend_imap" }
  - { protocol: imap, address: "127.0.0.1:$imap", tls: starttls, backend: "127.0.0.1:$backend_imap" }
  - { protocol: pop3, address: "127.0.0.1:$pop3s", tls: implicit, backend: "127.0.0.1:$backend_pop3" }
  - { protocol: pop3, address: "127.0.0.1:$pop3", tls: starttls, backend: "127.0.0.1:$backend_pop3" }
  - { protocol: smtp, address: "127.0.0.1:$smtps", tls: implicit, backend: "127.0.0.1:$backend_smtp", require_auth: true }
  - { protocol: smtp, address: "127.0.0.1:$submission", tls: starttls, backend: "127.0.0.1:$backend_smtp", require_auth: true }
END

"$legacy" --imap "127.0.0.1:$backend_imap" --pop3 "127.0.0.1:$backend_pop3" --smtp "127.0.0.1:$backend_smtp" \
  --user fred:secret >"$folder/legacy.out" 2>&1 &
started+=($!)
wait_for ready "$folder/legacy.out" $!
"$postern" run -c "$folder/postern.yaml" 2>"$folder/postern.log" &
started+=($!)
wait_for '"listening"' "$folder/postern.log" $! 6

mail=(curl --silent --show-error --max-time 20 --cacert "$folder/chain.pem" --user fred:secret)
# try TITLE URL [curl option…]: shows what comes back.
try() {
  local title=$1 answer
  printf '\n== %s\n' "$title"
  answer=$("${mail[@]}" "${@:2}") || { echo "failed; Postern's log:" >&2; tail "$folder/postern.log" >&2; exit 1; }
  printf '%s\n' "$answer" | head -n 12
}

printf 'Date: %s\r\nFrom: fred@example.test\r\nTo: fred@example.test\r\nSubject: through Postern\r\n\r\nIt works.\r\n' \
  "$(LC_ALL=C date -R)" >"$folder/message"
try "a message over IMAPS (port $imaps)" "imaps://localhost:$imaps/INBOX;MAILINDEX=1"
try "a message over POP3S (port $pop3s)" "pop3s://localhost:$pop3s/1"
try "a message sent by SMTP with STARTTLS (port $submission)" --ssl-reqd "smtp://localhost:$submission" \
  --mail-from fred@example.test --mail-rcpt fred@example.test --upload-file "$folder/message"
echo "sent."
printf '\n== a password in the clear is refused (port %s)\n' "$imap"
exec 4<>"/dev/tcp/127.0.0.1/$imap"
read -r _ <&4
printf 'a LOGIN fred secret\r\n' >&4
read -r answer <&4
printf 'C: a LOGIN fred secret\nS: %s\n' "$answer"
exec 4>&-

cat <<END

Postern is in front of a mail server in memory; user fred, password secret. Try:

  curl -k -u fred:secret 'imaps://localhost:$imaps/INBOX;MAILINDEX=2'
  curl -k -u fred:secret --ssl-reqd 'imap://localhost:$imap/INBOX' -X 'STATUS INBOX (MESSAGES)'
  curl -k -u fred:secret 'pop3s://localhost:$pop3s/2'
  curl -k -u fred:secret --ssl-reqd 'smtp://localhost:$submission' --mail-from fred@example.test \\
       --mail-rcpt fred@example.test -T $folder/message
  openssl s_client -quiet -starttls pop3 -connect localhost:$pop3
  curl http://127.0.0.1:$admin/metrics
  less $folder/postern.yaml
  tail -f $folder/postern.log

END
[ "$once" = --once ] && exit 0
echo "Ctrl-C ends it."
wait -n "${started[@]}" || true
echo "a server ended by itself; Postern's log:" >&2
tail "$folder/postern.log" >&2
exit 1
