package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// InUseError says that another daemon lives on a control socket.
type InUseError struct{ Path string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("control socket %s is in use by another daemon; stop it first, or give this one another socket", e.Path)
}

// maxPath is how many octets sun_path of unix(7) has room for.
const maxPath = 107

// FileMode is what a unix socket's file gets.
type FileMode struct {
	Mode     os.FileMode // 0 means 0600
	UID, GID int         // -1 leaves the process's own
}

// unixSocket is a unix socket, or a named pipe, that is bound to its place in the file system
// and guarded by a lock file beside it for as long as it lives.
type unixSocket struct {
	path string
	info fs.FileInfo // of the socket's file, after mode and owner were set
	lock *os.File
}

// claim makes path ours: it takes the lock and makes sure that nobody listens.
// Who holds the lock is the only one to replace what lies at path, so of two
// starters one wins. A living socket, also that of a daemon that knows nothing
// of our lock, is an *[InUseError] and stays as it is.
func claim(path string) (*unixSocket, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("control socket %s: the path is longer than the %d octets that unix sockets allow", path, maxPath)
	}
	return claimFile(path, free)
}

// claimPipe is claim for a named pipe.
func claimPipe(path string) (*unixSocket, error) { return claimFile(path, freePipe) }

func claimFile(path string, free func(string) error) (*unixSocket, error) {
	lock, err := lockFile(path + ".lock")
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, &InUseError{path}
	}
	if err != nil {
		return nil, fmt.Errorf("lock control socket %s: %w", path, err)
	}
	u := &unixSocket{path: path, lock: lock}
	if err := free(path); err != nil {
		u.unlock()
		return nil, err
	}
	return u, nil
}

// lockFile opens and locks a file. A file that its last owner removed between
// the two is opened anew.
func lockFile(name string) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = f.Close()
			return nil, err
		}
		mine, err := f.Stat()
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		if there, err := os.Lstat(name); err == nil && os.SameFile(mine, there) {
			return f, nil
		}
		_ = f.Close()
	}
}

// free makes sure that nobody listens at path. A stale socket is left there,
// to be replaced.
func free(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("control socket %s: %w", path, err)
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("control socket %s: a file that is no socket is in its place", path)
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		_ = c.Close()
		return &InUseError{path}
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// Another kind of socket, a full queue, no permission: someone is there.
	return &InUseError{path}
}

// freePipe is free for a named pipe: one that nobody reads is stale.
func freePipe(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("fifo %s: %w", path, err)
	}
	if info.Mode()&os.ModeNamedPipe == 0 {
		return fmt.Errorf("fifo %s: a file that is no fifo is in its place", path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err == nil {
		_ = f.Close()
		return &InUseError{path}
	}
	if errors.Is(err, syscall.ENXIO) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("fifo %s: %w", path, err)
}

// bind calls listen with a name in a private folder beside path, gives the
// file its mode and owner there, and moves it into place in one step: at no
// time can a stranger connect, and no reader finds the place empty.
func (u *unixSocket) bind(m FileMode, listen func(name string) error) (err error) {
	dir, err := os.MkdirTemp(filepath.Dir(u.path), ".s")
	if err != nil {
		return fmt.Errorf("control socket %s: %w", u.path, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	name := filepath.Join(dir, "s")
	if err := u.listen(dir, name, listen); err != nil {
		return fmt.Errorf("control socket %s: %w", u.path, err)
	}
	mode := m.Mode
	if mode == 0 {
		mode = 0o600
	}
	if err := os.Chmod(name, mode); err != nil {
		return fmt.Errorf("control socket %s: %w", u.path, err)
	}
	if m.UID >= 0 || m.GID >= 0 {
		if err := os.Lchown(name, m.UID, m.GID); err != nil {
			return fmt.Errorf("control socket %s: %w", u.path, err)
		}
	}
	if u.info, err = os.Lstat(name); err != nil {
		return fmt.Errorf("control socket %s: %w", u.path, err)
	}
	if err := os.Rename(name, u.path); err != nil {
		return fmt.Errorf("control socket %s: %w", u.path, err)
	}
	return nil
}

// listen calls f with the name, or with a shorter way to it where the private
// folder makes the name too long for a socket.
func (u *unixSocket) listen(dir, name string, f func(string) error) error {
	if len(name) <= maxPath {
		return f(name)
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return f(fmt.Sprintf("/proc/self/fd/%d/s", d.Fd()))
}

// release removes the socket's file, if it still is ours, and the lock.
func (u *unixSocket) release() {
	if there, err := os.Lstat(u.path); err == nil && u.info != nil && os.SameFile(u.info, there) {
		_ = os.Remove(u.path)
	}
	u.unlock()
}

func (u *unixSocket) unlock() {
	// Removed while it is locked: lockFile of the next starter notices.
	_ = os.Remove(u.lock.Name())
	_ = u.lock.Close()
}
