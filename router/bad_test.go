package router

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBadConfigurations loads the configurations of testdata/bad, which must
// not load: the comments at the top of each are all mistakes that are told.
func TestBadConfigurations(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.cfg")
	if err != nil || len(paths) < 150 {
		t.Fatalf("%d files, %v; want at least 150", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".cfg"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(text)) {
				w, ok := strings.CutPrefix(line, "# ")
				if !ok {
					break
				}
				want = append(want, strings.TrimRight(w, "\n"))
			}
			_, err = Load(context.Background(), Options{Config: path, ServerID: -1, CheckOnly: true, Offline: true})
			if err == nil {
				t.Fatal("it loads")
			}
			var got []string
			var list *ListedError
			if errors.As(err, &list) {
				for _, e := range list.ErrorList {
					got = append(got, fmt.Sprintf("%d:%d: %s", e.Pos.Line(), e.Pos.Col(), e.Msg))
				}
			} else {
				got = []string{"sipd: " + strings.ReplaceAll(err.Error(), path, "FILE")}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
