// Package dbtest gives tests the databases to run on: SQLite in a folder of the
// test, and private MariaDB and PostgreSQL servers in folders of their own,
// started once per test program, reached by unix socket, and stopped when it
// ends. Where a server is not installed the test skips and says so.
package dbtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sipd/db"
)

// Open gives an empty database of the engine, closed when the test ends.
func Open(tb testing.TB, e db.Engine) *db.DB {
	tb.Helper()
	d, err := db.Open(tb.Context(), URL(tb, e), db.Create())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Errorf("close %s: %v", d.Source(), err)
		}
	})
	return d
}

// Each runs fn as a subtest on every engine that is installed.
func Each(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) { fn(t, Open(t, e)) })
	}
}

var serial atomic.Int64

// URL names an empty database of the engine. For SQLite the file does not
// exist yet: open it with db.Create.
func URL(tb testing.TB, e db.Engine) string {
	tb.Helper()
	if e == db.SQLite {
		return "sqlite:" + filepath.Join(tb.TempDir(), "test.sqlite")
	}
	if testing.Short() {
		tb.Skipf("%s is not started with -short", e)
	}
	s := servers[e]
	s.once.Do(s.start)
	if s.skip != "" {
		tb.Skip(s.skip)
	}
	if s.err != nil {
		tb.Fatalf("start %s: %v", e, s.err)
	}
	name := fmt.Sprintf("t%d", serial.Add(1))
	if err := s.create(tb.Context(), name); err != nil {
		tb.Fatalf("create database %s in %s: %v", name, e, err)
	}
	return s.url(name)
}

// Main runs the tests and stops the servers they started: a package whose
// tests use more than SQLite says func TestMain(m *testing.M) { dbtest.Main(m) }.
func Main(m *testing.M) {
	code := m.Run()
	for _, s := range servers {
		s.stop()
	}
	os.Exit(code)
}

// server is a private database server.
type server struct {
	once   sync.Once
	skip   string // why there is none
	err    error
	dir    string
	cmd    *exec.Cmd
	launch func(*server) error
	url    func(name string) string
	admin  string // database that always exists
}

var servers = map[db.Engine]*server{
	db.MySQL:      {launch: startMariaDB, admin: "mysql"},
	db.PostgreSQL: {launch: startPostgreSQL, admin: "postgres"},
}

const startLimit = 60 * time.Second

func (s *server) start() {
	if s.dir, s.err = os.MkdirTemp("", "dbtest"); s.err != nil {
		return
	}
	if s.err = s.launch(s); s.err != nil || s.skip != "" {
		s.stop()
		return
	}
	s.err = s.ready()
}

// ready waits until the server answers; a server that ends early is an error
// with its last words.
func (s *server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	for {
		d, err := db.Open(ctx, s.url(s.admin))
		if err == nil {
			return d.Close()
		}
		select {
		case e := <-ended:
			s.cmd = nil
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("it ended (%v): %s", e, log)
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond): // between two questions
		}
	}
}

func (s *server) create(ctx context.Context, name string) error {
	d, err := db.Open(ctx, s.url(s.admin))
	if err != nil {
		return err
	}
	defer d.Close()
	query := "CREATE DATABASE " + d.Quote(name)
	if d.Engine == db.MySQL {
		query += " CHARACTER SET utf8mb4"
	}
	_, err = d.Writer().ExecContext(ctx, query)
	return err
}

func (s *server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // SIGINT would be gentler to clients; there are none
		for range 200 {
			if s.cmd.Process.Signal(syscall.Signal(0)) != nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		_ = s.cmd.Process.Kill()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// run starts the server with its output in a file.
func (s *server) run(cmd *exec.Cmd) error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	s.cmd = cmd
	return cmd.Start()
}

// unprivileged makes cmd run as the named user when we are root, for both
// servers refuse to be root; the folder becomes the user's.
func (s *server) unprivileged(name string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if os.Getuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(s.dir, uid, gid)
}

// find looks for a program in PATH and where distributions hide servers.
func find(patterns ...string) string {
	for _, p := range patterns {
		if !strings.Contains(p, "/") {
			if path, err := exec.LookPath(p); err == nil {
				return path
			}
			continue
		}
		if found, _ := filepath.Glob(p); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}

func startMariaDB(s *server) error {
	daemon := find("mariadbd", "/usr/sbin/mariadbd", "mysqld", "/usr/sbin/mysqld")
	install := find("mariadb-install-db", "mysql_install_db")
	if daemon == "" || install == "" {
		s.skip = "MariaDB is not installed"
		return nil
	}
	attr, err := s.unprivileged("mysql")
	if err != nil {
		s.skip = "MariaDB cannot be started: " + err.Error()
		return nil
	}
	data, socket := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "s")
	prepare := exec.Command(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	prepare.SysProcAttr, prepare.Dir = attr, s.dir
	// A starting server removes the temporary tables it finds in its
	// temporary folder: in a shared one, those of a neighbour at work.
	prepare.Env = append(os.Environ(), "TMPDIR="+s.dir)
	if out, err := prepare.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", install, err, out)
	}
	cmd := exec.Command(daemon, "--no-defaults", "--datadir="+data, "--socket="+socket, "--skip-networking", "--tmpdir="+s.dir, "--innodb-flush-method=nosync",
		"--pid-file="+filepath.Join(s.dir, "pid"), "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0")
	cmd.SysProcAttr, cmd.Dir = attr, s.dir
	s.url = func(name string) string { return "mysql://root@localhost/" + name + "?socket=" + socket }
	return s.run(cmd)
}

func startPostgreSQL(s *server) error {
	initdb := find("/usr/lib/postgresql/*/bin/initdb", "initdb")
	if initdb == "" {
		s.skip = "PostgreSQL is not installed"
		return nil
	}
	attr, err := s.unprivileged("postgres")
	if err != nil {
		s.skip = "PostgreSQL cannot be started: " + err.Error()
		return nil
	}
	data := filepath.Join(s.dir, "data")
	prepare := exec.Command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	prepare.SysProcAttr, prepare.Dir = attr, s.dir
	if out, err := prepare.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", initdb, err, out)
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-k", s.dir, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "max_connections=200", "-c", "unix_socket_permissions=0777")
	cmd.SysProcAttr, cmd.Dir = attr, s.dir
	s.url = func(name string) string { return "postgres://postgres@localhost/" + name + "?host=" + s.dir }
	return s.run(cmd)
}
