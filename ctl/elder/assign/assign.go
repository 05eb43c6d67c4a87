// Package assign reads the elders' configuration files without running them.
// kamctlrc is a shell script that kamctl sources, serctl.conf a Python program
// that serctl executes; nearly all of them hold assignments and nothing else.
// Those are read here; whatever else stands in one is an [*Error] with its line
// and what to write instead, never run and never passed over.
package assign

import (
	"fmt"
	"os"
	"strings"
)

// MaxSize is how long a configuration may be, bytes.
const MaxSize = 1 << 20

// Error is what a configuration holds beyond assignments.
type Error struct {
	File string // "" for text that is in no file
	Line int
	Why  string
}

func (e *Error) Error() string {
	if e.File == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Why)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Why)
}

// ReadFile gives the text of a configuration. A file that is not there is
// fs.ErrNotExist.
func ReadFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	if st.IsDir() {
		return "", fmt.Errorf("%s is a folder, not a configuration", path)
	}
	if st.Size() > MaxSize {
		return "", fmt.Errorf("%s is longer than %d bytes: not a configuration", path, MaxSize)
	}
	text, err := os.ReadFile(path)
	return string(text), err
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isName(c byte) bool   { return isLetter(c) || isDigit(c) }

// noNUL refuses what no shell and no Python could read.
func noNUL(file, text string) error {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return &Error{file, strings.Count(text[:i], "\n") + 1, "a NUL byte: this is no text"}
	}
	return nil
}
