package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sipd/ctl"
	"sipd/ctl/elder"
	"sipd/db"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in testdata/script")

func TestMain(m *testing.M) {
	programs := map[string]func(){"sipctl": main}
	for _, name := range elder.Names() {
		programs[name] = main
	}
	testscript.Main(m, programs)
}

// TestScripts runs testdata/script in both flavours, each on a SQLite file that
// db create has to make. What differs stands behind [ser] and [kamailio].
func TestScripts(t *testing.T) {
	for _, flavour := range []string{"kamailio", "ser"} {
		t.Run(flavour, func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir:           "testdata/script",
				UpdateScripts: *update,
				Condition:     func(cond string) (bool, error) { return cond == flavour, nil },
				Cmds:          map[string]func(*testscript.TestScript, bool, []string){"sql": sql, "ctl": inProcess},
				Setup: func(env *testscript.Env) error {
					env.Setenv("FLAVOUR", flavour)
					env.Setenv("OTHER", map[string]string{"ser": "kamailio", "kamailio": "ser"}[flavour])
					env.Setenv("SIPCTL_DB", "sqlite://"+filepath.Join(env.WorkDir, "sip.db"))
					env.Setenv("XDG_CONFIG_HOME", env.WorkDir)
					return nil
				},
			})
		})
	}
}

// surroundings is the environment of this process.
var surroundings sync.Mutex

// inProcess is sipctl without a process of its own, for the many commands of
// the scripts of the nouns: ctl ARGUMENT...
func inProcess(ts *testscript.TestScript, fails bool, args []string) {
	surroundings.Lock()
	defer surroundings.Unlock()
	for _, name := range []string{"SIPCTL_DB", "SIPCTL_SERVER", "XDG_CONFIG_HOME"} {
		ts.Check(os.Setenv(name, ts.Getenv(name)))
	}
	if code := ctl.Run(context.Background(), args, strings.NewReader(""), ts.Stdout(), ts.Stderr()); (code != 0) != fails {
		ts.Fatalf("sipctl %q exits with %d", args, code)
	}
}

// sql runs a statement on a SQLite file, behind the back of sipctl: sql FILE STATEMENT.
func sql(ts *testscript.TestScript, _ bool, args []string) {
	d, err := db.Open(context.Background(), "sqlite:"+ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = d.Writer().Exec(args[1])
	ts.Check(errors.Join(err, d.Close()))
}
