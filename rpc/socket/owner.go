package socket

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"sipd/rpc"
)

// Owned makes a FileMode of a module's parameters mode, user and group; the
// names may be numbers, "" leaves the process's own.
func Owned(mode int, owner, group string) (FileMode, error) {
	uid, uerr := number(owner, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	gid, gerr := number(group, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	return FileMode{Mode: os.FileMode(mode), UID: uid, GID: gid}, errors.Join(uerr, gerr)
}

func number(name string, lookup func(string) (string, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 {
		return n, nil
	}
	id, err := lookup(name)
	if err != nil {
		return -1, err
	}
	return strconv.Atoi(id)
}

// ParsePipe reads the address of a named pipe: "fifo:PATH", or a bare path,
// with the option ";role=". is says whether it is one at all; addresses of
// sockets are for ParseAddress.
func ParsePipe(s string) (path string, role rpc.Role, is bool, err error) {
	scheme, rest, ok := strings.Cut(s, ":")
	switch {
	case ok && strings.EqualFold(scheme, "fifo"):
	case !ok || strings.Contains(scheme, "/"):
		rest = s
	default:
		return "", rpc.None, false, nil
	}
	path, access, role, err := options(rest)
	if err == nil && access != Guarded {
		err = fmt.Errorf("a pipe has no access but its mode: %w", ErrOption)
	}
	if err == nil && !strings.Contains(path, "/") {
		err = errors.New("a pipe needs a path, as in fifo:/run/sipd/fifo")
	}
	if err != nil {
		err = fmt.Errorf("fifo %q: %w", s, err)
	}
	return path, role, true, err
}
