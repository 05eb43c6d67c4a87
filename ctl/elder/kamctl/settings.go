package kamctl

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sipd/ctl/elder/assign"
)

// settings are the variables of the environment and of the kamctlrc files, the
// later ones stronger, as a shell that sources them has it.
type settings struct {
	vars  map[string]string
	files []string
}

// loadSettings reads the kamctlrc files in the order of kamctl 2010 and 5.6:
// beside the program, in /etc, in the home. Those that are not there are fine.
func loadSettings(argv0 string) (*settings, error) {
	s := &settings{vars: make(map[string]string)}
	for _, path := range rcFiles(argv0) {
		text, err := assign.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		vars, err := assign.Shell(path, text, s.lookup)
		if err != nil {
			return nil, err
		}
		for _, v := range vars {
			s.vars[v.Name] = v.Value
		}
		s.files = append(s.files, path)
	}
	return s, nil
}

func rcFiles(argv0 string) []string {
	var paths []string
	if exe, err := exec.LookPath(argv0); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			paths = append(paths, filepath.Join(filepath.Dir(real), "kamctlrc"))
		}
	}
	paths = append(paths, "/etc/kamailio/kamctlrc", "/usr/local/etc/kamailio/kamctlrc")
	if home := os.Getenv("HOME"); home != "" {
		paths = append(paths, filepath.Join(home, ".kamctlrc"))
	}
	if os.Getenv("KAMCTL_TEST") != "" {
		paths = append(paths, "kamctlrc")
	}
	return paths
}

func (s *settings) lookup(name string) (string, bool) {
	if v, ok := s.vars[name]; ok {
		return v, true
	}
	return os.LookupEnv(name)
}

// get is a setting; empty is as good as not set, as in the elder.
func (s *settings) get(name, def string) string {
	if v, _ := s.lookup(name); v != "" {
		return v
	}
	return def
}

// on tells whether a setting of 0 and 1 is 1.
func (s *settings) on(name, def string) bool { return s.get(name, def) == "1" }

// table is the name of a table, which the site may have changed.
func (s *settings) table(variable, def string) string { return s.get(variable, def) }

// groups are the names that acl grant takes.
func (s *settings) groups() []string {
	return strings.Fields(s.get("ACL_GROUPS", "local ld int voicemail free-pstn"))
}

// aliases says where aliases live: "" nowhere, "UL" or "DB".
func (s *settings) aliases() string {
	if t := s.get("ALIASES_TYPE", ""); t == "UL" || t == "DB" {
		return t
	}
	return ""
}
