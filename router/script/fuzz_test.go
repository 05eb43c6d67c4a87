package script

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// FuzzParse: whatever comes in, places lie inside the sources; and what parses
// is printed so that it parses to the same tree.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.cfg", "testdata/bad/*/*.cfg"} {
		paths, _ := filepath.Glob(pattern)
		for _, p := range paths {
			if b, err := os.ReadFile(p); err == nil {
				f.Add(string(b))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, errs := parseText(t, text)
		if file == nil {
			t.Fatal("Parse gave no file")
		}
		checkPositions(t, reflect.ValueOf(file))
		for _, e := range errs {
			checkPositions(t, reflect.ValueOf(e.Pos))
			_ = e.Error()
		}
		if errs == nil {
			checkRoundTrip(t, file)
		}
	})
}

func TestReadError(t *testing.T) {
	_, err := Parse(texts{}.read, "none.cfg", nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Parse of a missing file: %v, want fs.ErrNotExist", err)
	}
}
