package main

import (
	"context"
	"errors"
	"flag"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

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
				Cmds:          map[string]func(*testscript.TestScript, bool, []string){"sql": sql},
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

// sql runs a statement on a SQLite file, behind the back of sipctl: sql FILE STATEMENT.
func sql(ts *testscript.TestScript, _ bool, args []string) {
	d, err := db.Open(context.Background(), "sqlite:"+ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = d.Writer().Exec(args[1])
	ts.Check(errors.Join(err, d.Close()))
}
