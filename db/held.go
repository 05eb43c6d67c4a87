package db

import (
	"sync"

	"golang.org/x/sys/unix"
)

// fileID is a file, whatever its name.
type fileID struct{ dev, ino uint64 }

// heldFile is a descriptor of a database's file, for looking into it.
type heldFile struct {
	id    fileID
	fd    int
	index bool // it is the -shm file of a database with WAL
	users int  // guarded by files.mu
}

// files holds all descriptors that this process has for looking into files of
// databases. It is one for the process because the matter is: the kernel drops
// the record locks that a process has on a file when the process closes any
// descriptor of it, and SQLite's locks are such. So none is closed while
// connections may have the file open, that is, before the file is gone.
var files = struct {
	mu   sync.Mutex // guards the field below
	byID map[fileID]*heldFile
}{byID: make(map[fileID]*heldFile)}

func holdFile(path string, index bool) (*heldFile, error) {
	files.mu.Lock()
	defer files.mu.Unlock()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nil, err
	}
	if h := files.byID[idOf(&st)]; h != nil {
		h.users++
		return h, nil
	}
	dropGone()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	// It may be another file by now, even one that is held: the descriptor more
	// is the price for not closing it.
	if h := files.byID[idOf(&st)]; h != nil {
		h.users++
		return h, nil
	}
	h := &heldFile{id: idOf(&st), fd: fd, index: index, users: 1}
	files.byID[h.id] = h
	return h, nil
}

func idOf(st *unix.Stat_t) fileID { return fileID{dev: st.Dev, ino: st.Ino} }

// release says that a database is not looked into any more.
func (h *heldFile) release() {
	files.mu.Lock()
	defer files.mu.Unlock()
	h.users--
	dropGone()
}

// dropGone closes what nobody uses and what has no name any more.
func dropGone() {
	for id, h := range files.byID {
		var st unix.Stat_t
		if h.users == 0 && (unix.Fstat(h.fd, &st) != nil || st.Nlink == 0) {
			_ = unix.Close(h.fd)
			delete(files.byID, id)
		}
	}
}
