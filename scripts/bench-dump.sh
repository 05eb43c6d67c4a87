#!/bin/bash
# bench-dump.sh: a location table of a million contacts, dumped as JSON by sipcmd
# while OPTIONS come: how long, how large, sipcmd's memory, and the 99th percentile
# of the replies without and with the dump. Load generator, client and server
# share the machine: the last is a ratio of one run.
#
#   CONTACTS=100000 RATE=500 scripts/bench-dump.sh
set -eu
cd "$(dirname "$0")/.."
here=$PWD
bench=$(cd ../shared/bench 2>/dev/null && pwd) || {
	echo "skipped: it needs ../shared/bench (load generator), which is not there"
	exit 0
}
GO=${GO:-$(scripts/find-go)}
contacts=${CONTACTS:-1000000} rate=${RATE:-1000} port=${PORT:-15060}
tmp=$(mktemp -d)
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done; wait; rm -rf "$tmp"' EXIT
(cd "$bench" && "$GO" build -o "$tmp/" ./cmd/sipblast)
cat >"$tmp/sipd.cfg" <<E2
#!KAMAILIO
debug=1
log_stderror=yes
listen=udp:127.0.0.1:$port
loadmodule "sl.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "ctl.so"
loadmodule "textops.so"
modparam("ctl", "binrpc", "unix:$tmp/ctl")
modparam("registrar", "default_expires", 36000)
modparam("registrar", "max_expires", 0)
request_route {
	if (is_method("REGISTER")) { save("location"); exit; }
	sl_send_reply("200", "OK");
}
E2
"$here/bin/sipd" -f "$tmp/sipd.cfg" -DD -E >"$tmp/log" 2>&1 &
sipd=$!
pids+=("$sipd")
until "$here/bin/sipcmd" -s "$tmp/ctl" core.version >/dev/null 2>&1; do
	kill -0 "$sipd" || { cat "$tmp/log"; exit 1; }
done
blast() { "$tmp/sipblast" -server "127.0.0.1:$port" -server-pid "$sipd" "$@"; }
field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$2"; }

blast -mode register -users "$contacts" -n "$contacts" -window 64 >"$tmp/fill"
blast -mode options -rate "$rate" -n $((rate * 10)) -warm "$rate" >"$tmp/without"

# The replies are counted for as long as the dump takes, and no longer.
hwm=0
start=$(date +%s.%N)
"$here/bin/sipcmd" -s "$tmp/ctl" -o json ul.dump >"$tmp/dump" &
dump=$!
pids+=("$dump")
n=0
while kill -0 "$dump" 2>/dev/null; do
	m=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$dump/status" 2>/dev/null || true)
	hwm=${m:-$hwm}
	blast -mode options -rate "$rate" -n "$rate" >"$tmp/with.$n"
	n=$((n + 1))
done
wait "$dump"
seconds=$(awk -v a="$start" -v b="$(stat -c %.Y "$tmp/dump")" 'BEGIN { print b - a }')
with=$(cat "$tmp"/with.* | sed -n 's/.*"p99_us":\([0-9]*\).*/\1/p' | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')
without=$(field p99_us "$tmp/without")
awk -v n="$contacts" -v s="$seconds" -v o="$(stat -c %s "$tmp/dump")" -v m="$hwm" -v a="$without" -v b="$with" 'BEGIN {
	printf "%d contacts: dumped as JSON in %.1f s, %.0f MB; sipcmd %.0f MB\n", n, s, o / 1e6, m / 1024
	printf "p99 of OPTIONS: %.2f ms without, %.2f ms with (median of seconds), ratio %.1f\n", a / 1000, b / 1000, b / a
}'
