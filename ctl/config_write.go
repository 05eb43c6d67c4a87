package ctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// writeSetting writes one setting into the file of --config, SIPCTL_CONFIG or
// the user, and gives its path. Comments, order and all other lines stay as
// they are; the file is replaced in one step, readable by its owner alone when
// it is new.
func (a *App) writeSetting(in, key, value string) (string, error) {
	path := first(a.opt.config, os.Getenv("SIPCTL_CONFIG"), userFile())
	if path == "" {
		return "", errors.New("there is no home for the user's configuration; name a file with --config")
	}
	mode := fs.FileMode(0o600)
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		st, err := os.Stat(path)
		if err != nil {
			return path, err
		}
		mode = st.Mode().Perm()
		if _, err := readFile(path); err != nil {
			return path, err // not into a file that is broken already
		}
	case !errors.Is(err, fs.ErrNotExist):
		return path, err
	}
	changed := []byte(withSetting(string(text), in, key, value))
	if _, err := parseConfig(path, changed); err != nil {
		return path, fmt.Errorf("the setting cannot be written: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return path, err
	}
	return path, replaceFile(path, changed, mode)
}

// replaceFile writes a file beside and moves it into place.
func replaceFile(path string, text []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".config")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// withSetting gives the text of a configuration with one setting changed, added
// or, when value is empty, taken away; in is the context, "" the common part.
func withSetting(text, in, key, value string) string {
	line := key + " = " + strconv.Quote(value)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		lines = nil
	}
	begin, end, found := section(lines, in)
	if !found {
		if value == "" {
			return text
		}
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, "[[contexts]]", "name = "+strconv.Quote(in), line)
		return strings.Join(lines, "\n") + "\n"
	}
	last := begin // behind the last setting of the section
	for i := begin; i < end; i++ {
		name, _, ok := strings.Cut(lines[i], "=")
		if ok && !strings.HasPrefix(strings.TrimSpace(name), "#") {
			last = i + 1
		}
		if !ok || strings.Trim(strings.TrimSpace(name), `"'`) != key {
			continue
		}
		if value == "" {
			return strings.Join(append(lines[:i:i], lines[i+1:]...), "\n") + "\n"
		}
		lines[i] = line
		return strings.Join(lines, "\n") + "\n"
	}
	if value == "" {
		return text
	}
	lines = append(lines[:last:last], append([]string{line}, lines[last:]...)...)
	return strings.Join(lines, "\n") + "\n"
}

// section finds the lines of a context, or the common ones before all tables.
func section(lines []string, in string) (begin, end int, found bool) {
	begin, found = 0, in == ""
	for i := 0; i <= len(lines); i++ {
		if i < len(lines) && !strings.HasPrefix(strings.TrimSpace(lines[i]), "[") {
			name, value, ok := strings.Cut(lines[i], "=")
			if in != "" && ok && strings.TrimSpace(name) == "name" && begin > 0 {
				value, _, _ = strings.Cut(value, "#")
				found = found || strings.Trim(strings.TrimSpace(value), `"'`) == in
			}
			continue
		}
		if found {
			return begin, i, true
		}
		begin = i + 1
	}
	return 0, 0, false
}
