#!/bin/bash
# Every test. Peers and databases that tests talk to are installed first where
# the caller may (root, apt-get); a test whose peer is missing skips and says
# so. Tests start what they need on ports and folders of their own and end it.
set -u
GO=${GO:-go}
cd "$(dirname "$0")/.." || exit 1

# command, Debian package
peers="
kamailio kamailio
kamcmd kamailio
kamcli kamcli
sipp sip-tester
sipsak sipsak
mariadbd mariadb-server
initdb postgresql
sqlite3 sqlite3
baresip baresip
"
extra="kamailio-sqlite-modules kamailio-mysql-modules kamailio-postgres-modules kamailio-json-modules kamailio-xml-modules kamailio-utils-modules kamailio-extra-modules kamailio-tls-modules kamailio-presence-modules"
export PATH="$PATH:/usr/sbin:/sbin:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)"

missing=()
while read -r cmd pkg; do
	[ -n "$cmd" ] || continue
	command -v "$cmd" >/dev/null 2>&1 || missing+=("$pkg")
done <<<"$peers"
for pkg in $extra; do
	dpkg -s "$pkg" >/dev/null 2>&1 || missing+=("$pkg")
done
if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "installing the tests' peers: ${missing[*]}"
		# Services of the packages are not to start: tests run their own.
		policy=/usr/sbin/policy-rc.d made=
		[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && made=1; }
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
			echo "some could not be installed: the tests that need them will skip"
		[ -z "$made" ] || rm -f $policy
	else
		echo "not here, and not root to install them: ${missing[*]}; the tests that need them will skip"
	fi
fi
export PATH="$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$GO" test -v ./... >"$log" 2>&1
code=$?
grep -E '^(ok|FAIL|panic:|---? FAIL|\?)|^\s*--- FAIL' "$log" | grep -v 'no test files'
if [ $code -ne 0 ]; then
	echo
	# What a test says stands before its verdict, between lines that name it.
	awk '
		/^(ok|FAIL)\t/ { delete said }
		/^=== (RUN|NAME|CONT)/ { name = $3; next }
		/^ *--- / { if ($2 == "FAIL:") printf "%s\n%s", $0, said[$3]; name = "-"; next }
		{ said[name] = said[name] $0 "\n" }' "$log" | cut -c1-2000 | head -400
	grep -E -A60 '^panic:|^fatal error:|\[build failed\]|^# ' "$log" | head -400
fi
# A test's reason is the last line that it logged (testscript adds its own).
skips=$(awk '
	/^=== (RUN|NAME|CONT)/ { name = $3 }
	/^ +[a-z0-9_]+\.go:[0-9]+: ./ && !/^ +testscript\.go/ { sub(/^ +[^ ]+ /, ""); why[name] = $0 }
	/^ *--- SKIP/ { print "  " $3 ": " why[$3] }' "$log")
[ -z "$skips" ] || printf 'skipped, and why:\n%s\n' "$skips"
count() { grep -cE "^\s*--- $1" "$log"; }
echo "$(count PASS) passed, $(count FAIL) failed, $(count SKIP) skipped"
exit $code
