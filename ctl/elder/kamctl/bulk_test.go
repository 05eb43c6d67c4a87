package kamctl_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"sipd/ctl"
	"sipd/ctl/elder/kamctl"
	"sipd/db"
	"sipd/db/dbtest"
)

// BenchmarkBulk compares sipctl user import with kamctl add on the same engine
// in the same run: users a second, and how many times kamctl's rate that is.
func BenchmarkBulk(b *testing.B) {
	const adds, bulk = 10, 20000
	for _, e := range db.Engines() {
		kamctlRun := kamctl.Elder(b, e, "RPCFIFOPATH=/nonexistent\n")
		began := time.Now()
		for i := range adds {
			if out, code := kamctlRun("add", fmt.Sprintf("k%d", i), "secret"); code != 0 {
				b.Fatalf("kamctl add: %s", out)
			}
		}
		slow := adds / time.Since(began).Seconds()
		for _, flavour := range []string{"kamailio", "ser"} {
			b.Run(string(e)+"/"+flavour, func(b *testing.B) {
				b.Setenv("XDG_CONFIG_HOME", b.TempDir())
				b.Setenv("SIPCTL_CONFIG", "")
				b.Setenv("SIPCTL_DB", dbtest.URL(b, e))
				run := func(in string, args ...string) {
					var errs strings.Builder
					if code := ctl.Run(b.Context(), args, strings.NewReader(in), io.Discard, &errs); code != 0 {
						b.Fatalf("sipctl %q exits with %d: %s", args, code, &errs)
					}
				}
				run("", "db", "create", "--flavour", flavour)
				run("", "domain", "add", "example.com")
				n := 0
				for b.Loop() {
					var in strings.Builder
					in.WriteString("user,password\n")
					for i := range bulk {
						fmt.Fprintf(&in, "u%d-%d@example.com,secret\n", n, i)
					}
					run(in.String(), "-q", "user", "import", "-")
					n++
				}
				rate := float64(n*bulk) / b.Elapsed().Seconds()
				b.ReportMetric(rate, "users/s")
				b.ReportMetric(rate/slow, "x-kamctl")
			})
		}
	}
}
