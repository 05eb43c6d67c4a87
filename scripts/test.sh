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

log=$(mktemp) again=$(mktemp)
trap 'rm -f "$log" "$again"' EXIT
"$GO" test -v -timeout 30m ./... >"$log" 2>&1
code=$?

verdicts() { grep -E '^(ok|FAIL|panic:|---? FAIL|\?)|^\s*--- FAIL' "$1" | grep -v 'no test files'; }
# What a test says stands before its verdict, between lines that name it.
words() {
	awk '
		/^(ok|FAIL)\t/ { delete said }
		/^=== (RUN|NAME|CONT)/ { name = $3; next }
		/^ *--- / { if ($2 == "FAIL:") printf "%s\n%s", $0, said[$3]; name = "-"; next }
		{ said[name] = said[name] $0 "\n" }' "$1" | cut -c1-2000 | head -400
	grep -E -A60 '^panic:|^fatal error:|\[build failed\]|^# ' "$1" | head -400
}
count() { grep -cE "^\s*--- $1" "$log"; }
verdicts "$log"
passed=$(count PASS) failed=$(count FAIL) skipped=$(count SKIP)
if [ $code -ne 0 ]; then
	echo
	words "$log"
fi

# A test that talks to programs of others may fail for a moment's lack of
# processor. What failed runs once more, alone; if it passes, that is told, and
# it is a defect of the test to mend. What ended otherwise (panic, build) failed.
if [ $code -ne 0 ] && ! grep -qE '^panic:|^fatal error:|\[(build|setup) failed\]|^# sipd' "$log"; then
	failures=$(awk '
		/^--- FAIL: / { tests[n++] = $3 }
		/^(ok|FAIL)\t/ {
			if ($1 == "FAIL" && n) { printf "%s ^(", $2; for (i = 0; i < n; i++) printf "%s%s", (i ? "|" : ""), tests[i]; print ")$" }
			if ($1 == "FAIL" && !n) print $2, "-"
			n = 0
		}' "$log")
	code=0
	while read -r pkg tests; do
		[ "$tests" != - ] || { code=1; continue; }
		echo "once more, alone: $pkg $tests"
		if "$GO" test -v -count=1 -p 1 -timeout 30m -run "$tests" "$pkg" >"$again" 2>&1; then
			echo "  passed at the second attempt"
			n=$(grep -cE '^\s*--- PASS' "$again")
			failed=$((failed - $(awk -v pkg="$pkg" '/^\s*--- FAIL/ { n++ } /^(ok|FAIL)\t/ { if ($2 == pkg) print n + 0; n = 0 }' "$log")))
			passed=$((passed + n))
		else
			verdicts "$again"
			words "$again"
			code=1
		fi
	done <<<"$failures"
fi

# A test's reason is the last line that it logged (testscript adds its own).
skips=$(awk '
	/^=== (RUN|NAME|CONT)/ { name = $3 }
	/^ +[a-z0-9_]+\.go:[0-9]+: ./ && !/^ +testscript\.go/ { sub(/^ +[^ ]+ /, ""); why[name] = $0 }
	/^ *--- SKIP/ { print "  " $3 ": " why[$3] }' "$log")
[ -z "$skips" ] || printf 'skipped, and why:\n%s\n' "$skips"
echo "$passed passed, $failed failed, $skipped skipped"
exit $code
