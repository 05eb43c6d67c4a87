#!/bin/bash
# run.sh FOLDER: serve from FOLDER, which gets an embedded database and the
# control socket. SIP on 127.0.0.1:5060 (PORT=... for another).
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$1"
dir=$(cd "$1" && pwd)
bin=$PWD/bin
port=${PORT:-5060}
db=sqlite://$dir/sipd.db
if [ ! -e "$dir/sipd.db" ]; then
	"$bin/sipctl" --db "$db" db create --flavour kamailio
	"$bin/sipctl" --db "$db" domain add example.com
fi
cat <<TXT

sipd serves SIP on 127.0.0.1:$port (UDP and TCP) for the domain example.com.
Type next, in another terminal, in this folder:

  export SIPCTL_DB=$db SIPCMD_SERVER=unixs:$dir/sipd_ctl
  bin/sipctl user add alice@example.com          add a user (asks for a password)
  bin/sipctl user list                           who there is
  bin/sipcmd core.uptime                         is it alive
  bin/sipcmd ul.dump                             who is registered
  bin/sipcmd cfg.set_now_int core debug 3        more log, at once

Point a phone at it: user alice, domain example.com, proxy 127.0.0.1:$port.
Ctrl-C ends it.

TXT
exec "$bin/sipd" -f docs/sipd.cfg -E -Y "$dir" -A "DBURL=\"$db\"" \
	-A "LISTEN=udp:127.0.0.1:$port" -A "LISTEN_TCP=tcp:127.0.0.1:$port"
