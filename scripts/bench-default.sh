#!/bin/bash
# bench-default.sh: what Kamailio's own default configuration costs on sipd and on
# Kamailio, in one run on this machine, as CPU time and as ratio: a REGISTER with
# digest (401 and 200 are one) against 10,000 users in SQLite, and a call.
#
#   RUNS=5 scripts/bench-default.sh
set -eu
cd "$(dirname "$0")/.."
here=$PWD
conf=/etc/kamailio/kamailio.cfg
bench=$(cd ../shared/bench 2>/dev/null && pwd) || {
	echo "skipped: the comparison needs ../shared/bench (load generator), which is not there"
	exit 0
}
for f in "$conf" "$(command -v kamailio || echo /none)" "$(command -v kamdbctl || echo /none)"; do
	[ -e "$f" ] || { echo "skipped: the comparison needs kamailio with its default configuration (apt-get install kamailio kamailio-sqlite-modules)"; exit 0; }
done
GO=${GO:-$(scripts/find-go)}
export PATH=$PATH:$(dirname "$("$GO" env GOROOT)/bin/go"):$("$GO" env GOROOT)/bin
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/bin"
(cd "$bench" && "$GO" build -o "$tmp/bin/" ./cmd/...)
export BIN=$tmp/bin RUNS=${RUNS:-3} PORT=${PORT:-15060} NOISE=${NOISE:-15}

# play WHO: one server, both measures; JSON lines go to files
cat >"$tmp/play" <<'P'
. "$BENCH/run/lib.sh"
. "$BENCH/run/db.sh"
set +e
make_sqlite
common="-f $CONF -A WITH_AUTH -l udp:$ADDR --alias=bench.test -DD -E -Y $W --loadmodule=db_sqlite.so"
case $WHO in
sipd) base="$SIPD $common --db-url $LITEURL" ;;
stock) base="kamailio $common -n 2 -m 512" ;;
fm) base="kamailio $common -n 2 -m 512 -x fm" ;;
esac
[ "$WHO" = sipd ] || printf '%s\n' "#!define DBURL \"$LITEURL\"" "include_file \"$CONF\"" >"$W/k.cfg"
[ "$WHO" = sipd ] || base=${base/-f $CONF/-f $W/k.cfg}
pass=0
bump() { pass=$((pass + 100)); }
pairs() { blast -mode regauth -name register -window 32 -users "$USERS" -warm "$USERS" -n 40000 -cseq $pass; }
SERVER=$base
start_server none
OUT=$TMP/register.$WHO BEFORE=bump measure pairs >/dev/null
stop_server
SERVER=${base/-A WITH_AUTH/}
CALLEE=$((PORT + 30))
fresh() {
	[ -n "$SPID" ] && stop_server
	start_server none
	blast -mode register -users 1000 -n 1000 -contact 127.0.0.1:$CALLEE >/dev/null
	blast -mode call -users 1000 -n 2000 -window 8 -callee-port $CALLEE >/dev/null
}
one() { blast -mode call -name call -users 1000 -callee-port $CALLEE -window 32 -n 8000; }
OUT=$TMP/call.$WHO BEFORE=fresh measure one >/dev/null
P

median() { sed -n 's/.*"server_cpu_us":\([0-9.]*\).*/\1/p' "$1" | sort -n | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]; else print "nan"}'; }

for who in sipd stock fm; do
	BENCH=$bench CONF=$conf WHO=$who SIPD=$here/bin/sipd TMP=$tmp bash "$tmp/play" || {
		echo "the run against $who failed" >&2
		exit 1
	}
done
printf '%-18s %10s %12s %12s %9s %9s\n' "default config, µs" sipd "kam stock" "kam -x fm" "/stock" "/fm"
for kind in register call; do
	awk -v n="$kind" -v a="$(median "$tmp/$kind.sipd")" -v b="$(median "$tmp/$kind.stock")" -v c="$(median "$tmp/$kind.fm")" \
		'BEGIN { printf "%-18s %10.1f %12.1f %12.1f %9.2f %9.2f\n", n, a, b, c, a / b, a / c }'
done
