package main

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in testdata/script")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sipctl": main})
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
