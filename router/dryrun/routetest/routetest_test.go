package routetest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sipd/router/dryrun"
)

var (
	update  = flag.Bool("update", false, "record the expectations from a real Kamailio, and sipd's where it differs on purpose")
	against = flag.Bool("kamailio", false, "compare a real Kamailio with the expectations as well")
)

// TestAgainstKamailio runs every case of testdata/kamailio: what is expected
// was recorded from a real Kamailio 5.6.3.
func TestAgainstKamailio(t *testing.T) {
	paths, err := filepath.Glob("testdata/kamailio/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	cases := 0
	for _, path := range paths {
		f, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		cases += f.Cases()
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			if *update || *against {
				live(t, f)
			}
			if *update {
				if err := os.WriteFile(path, f.Text(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			dry(t, f)
		})
	}
	t.Logf("%d cases in %d files", cases, len(paths))
}

func live(t *testing.T, f *File) {
	fails, err := Run(f, startKamailio(t, f.Config), false, *update)
	if err != nil {
		t.Fatalf("kamailio: %v", err)
	}
	for _, x := range fails {
		t.Errorf("kamailio, %s (-recorded +kamailio):\n%s", x.Section, cmp.Diff(lines(x.Want), lines(x.Got)))
	}
}

func dry(t *testing.T, f *File) {
	var said strings.Builder
	fails, err := RunDry(t.Context(), f, "", nil, func(ev dryrun.Event) {
		if l := ev.Log; l != nil {
			said.WriteString(l.Text)
			for _, a := range l.Attrs {
				said.WriteString(" " + a.String())
			}
			said.WriteByte('\n')
		}
	}, false)
	if err != nil {
		t.Fatalf("sipd: %v", err)
	}
	for _, x := range fails {
		t.Errorf("%s (-kamailio +sipd):\n%s", x.Section, cmp.Diff(lines(x.Want), lines(x.Got)))
	}
	if len(fails) > 0 {
		t.Logf("sipd's own log:\n%s", said.String())
	}
}

func lines(s string) []string { return strings.Split(s, "\n") }
