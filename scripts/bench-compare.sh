#!/bin/bash
# bench-compare.sh: what one message costs sipd and what it costs Kamailio, in
# one run on this machine, as CPU time and as ratio. Absolute times drift with
# the machine; the ratios are what counts.
#
#   RUNS=5 N=400000 scripts/bench-compare.sh
#   ONLY="options call rpc sipcmd" scripts/bench-compare.sh
set -eu
cd "$(dirname "$0")/.."
here=$PWD
bench=$(cd ../shared/bench 2>/dev/null && pwd) || {
	echo "skipped: the comparison needs ../shared/bench (load generator), which is not there"
	exit 0
}
command -v kamailio >/dev/null || {
	echo "skipped: the comparison needs kamailio, which is not installed (apt-get install kamailio)"
	exit 0
}
GO=${GO:-$(scripts/find-go)}
export PATH=$PATH:$(dirname "$("$GO" env GOROOT)/bin/go"):$("$GO" env GOROOT)/bin
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/bin"
(cd "$bench" && "$GO" build -o "$tmp/bin/" ./cmd/...)
export BIN=$tmp/bin RUNS=${RUNS:-3} PORT=${PORT:-15060} RATES= NOISE=${NOISE:-15}

run() { # run KIND NAME SERVER
	case $1 in
	options) WINDOWS=${WINDOWS:-16} N=${N:-200000} ;;
	register) N=${N:-100000} ;;
	call) WINDOWS=${WINDOWS:-32} N=${N:-8000} ;;
	rpc) N=${N:-50000} ;;
	esac
	export WINDOWS N
	OUT=$tmp/$1.$2 SERVER=$3 bash "$bench/run/$1.sh" >/dev/null 2>"$tmp/err" || {
		echo "$1 against $2 failed:" >&2
		tail -5 "$tmp/err" >&2
		return 1
	}
}

# median FILE FIELD NAME: the median of a field over the lines of that name, a
# basic regular expression
median() {
	grep "$3" "$1" | sed -n "s/.*\"$2\":\([0-9.]*\).*/\1/p" | sort -n |
		awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]; else print "nan"}'
}

sipd="$here/bin/sipd -f %CFG% -DD -E -Y %DIR%"
stock="kamailio -f %CFG% -DD -E -m 512 -Y %DIR%"
fm="kamailio -f %CFG% -DD -E -m 512 -x fm -Y %DIR%"

printf '%-18s %10s %12s %12s %9s %9s\n' "CPU µs per unit" sipd "kam stock" "kam -x fm" "/stock" "/fm"
for kind in ${ONLY:-options register call rpc sipcmd}; do
	unset N WINDOWS
	[ "$kind" != sipcmd ] || continue
	run "$kind" sipd "$sipd"
	run "$kind" stock "$stock"
	run "$kind" fm "$fm"
	case $kind in
	options) names=options ;;
	register) names="new refresh" ;;
	call) names=call ;;
	rpc) names="core.uptime,.one.connection core.uptime,.connection.per.call" ;;
	esac
	for name in $names; do
		for who in sipd stock fm; do
			declare "$who"_us="$(median "$tmp/$kind.$who" server_cpu_us "$name")"
		done
		awk -v n="$kind $name" -v a="$sipd_us" -v b="$stock_us" -v c="$fm_us" 'BEGIN {
			sub(/ (options|call)$/, "", n)
			sub(/core.uptime,.one.connection/, "on one conn.", n)
			sub(/core.uptime,.connection.per.call/, "on a new one", n)
			printf "%-18s %10.1f %12.1f %12.1f %9.2f %9.2f\n", n, a, b, c, a / b, a / c }'
	done
	if [ "$kind" = register ]; then
		for who in sipd stock fm; do
			grep -F '"' "$tmp/register.$who" | grep new | head -1 |
				sed -n "s/.*\"pss_before_kib\":\([0-9]*\).*\"pss_after_kib\":\([0-9]*\).*/\1 \2/p" |
				awk -v w="$who" '{printf "memory of 100000 contacts, %-6s %6.1f MiB more, %6.1f MiB in all\n", w ":", ($2 - $1) / 1024, $2 / 1024}'
		done
	fi
done

# core.uptime as a whole process: sipcmd, and kamcmd on the same daemon.
case " ${ONLY:-sipcmd} " in
*" sipcmd "*)
	SIPCMD_BINARY=$here/bin/sipcmd "$GO" test -run '^$' -bench BenchmarkStart -benchtime "${STARTS:-300}x" ./cmd/sipcmd | awk '
		/^BenchmarkStart/ { sub(/.*\//, "", $1); sub(/-[0-9]*$/, "", $1); wall[$1] = $3 / 1e6; cpu[$1] = $5 }
		END {
			for (p in wall) printf "one call by %-7s %6.2f ms, %6.2f ms of CPU\n", p ":", wall[p], cpu[p]
			if (wall["kamcmd"]) printf "sipcmd / kamcmd: %.2f, %.2f of CPU\n", wall["sipcmd"] / wall["kamcmd"], cpu["sipcmd"] / cpu["kamcmd"]
		}'
	;;
esac
