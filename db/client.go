package db

import (
	"net"
	"strconv"
)

// Client says how the engine's own client is started on the database of a URL:
// the names that it may have, its arguments, and what goes into its
// environment, the password among it, so that no process list shows it.
func Client(rawURL string) (programs, args, env []string, err error) {
	l, err := parseURL(rawURL)
	if err != nil {
		return nil, nil, nil, err
	}
	switch l.engine {
	case SQLite:
		return []string{"sqlite3"}, []string{l.path}, nil, nil
	case MySQL:
		if s := l.query.Get("socket"); s != "" {
			args = append(args, "--socket="+s)
		} else {
			args = append(args, "--host="+l.host, "--port="+strconv.Itoa(orDefault(l.port, 3306)))
		}
		if l.user != "" {
			args = append(args, "--user="+l.user)
		}
		if l.password != "" {
			env = append(env, "MYSQL_PWD="+l.password)
		}
		return []string{"mariadb", "mysql"}, append(args, "--default-character-set=utf8mb4", l.name), env, nil
	}
	host := l.host
	if dir := l.query.Get("host"); dir != "" {
		host = dir
	}
	if ip := net.ParseIP(host); ip != nil {
		host = ip.String()
	}
	args = []string{"--host=" + host, "--port=" + strconv.Itoa(orDefault(l.port, 5432))}
	if l.user != "" {
		args = append(args, "--username="+l.user)
	}
	if l.password != "" {
		env = append(env, "PGPASSWORD="+l.password)
	}
	return []string{"psql"}, append(args, "--dbname="+l.name), env, nil
}
