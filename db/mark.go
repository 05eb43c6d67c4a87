package db

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A mark tells one state of a SQLite file from every other: it changes with
// each transaction that any process commits. It is what SQLite itself compares
// before it trusts the pages that it remembers, so a row that was read under a
// mark is good for as long as the mark stands.
type mark struct {
	file fileID
	// header is the change counter and what stands around it (file format
	// §1.3), or with WAL the header of the index (WAL-index format §2.1).
	header [indexHeader]byte
}

const (
	formatAt    = 18 // in the file: 2 says WAL
	formatWAL   = 2
	headerSize  = 22 // from there to the end of the free list's count
	indexHeader = 48 // in the -shm file, there twice
	indexInit   = 12 // in that header: 0 while it is not made
)

// marker reads the marks of one SQLite file.
type marker struct {
	path string // without symbolic links: SQLite names the -shm file after it
	// at is the file that tells: the database itself, or with WAL its index.
	at atomic.Pointer[heldFile]

	// mu guards the field below, and changes of at.
	mu   sync.Mutex
	held []*heldFile
}

func newMarker(path string) *marker {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	return &marker{path: path}
}

// mark is the state now; false when it cannot be told, as in the middle of a
// commit, before the first reader has made the index, or without a marker.
func (m *marker) mark() (mark, bool) {
	if m == nil {
		return mark{}, false
	}
	if h := m.at.Load(); h != nil {
		if k, err := h.mark(); !errors.Is(err, errElsewhere) {
			return k, err == nil
		}
	}
	return m.find()
}

// find looks where the mark is to be read: the journal mode may have changed.
func (m *marker) find() (mark, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, index := range []bool{false, true} {
		path := m.path
		if index {
			path += "-shm"
		}
		h, err := m.hold(path, index)
		if err != nil {
			return mark{}, false
		}
		k, err := h.mark()
		if errors.Is(err, errElsewhere) {
			continue
		}
		m.at.Store(h)
		return k, err == nil
	}
	return mark{}, false
}

// hold finds the file among those held for this database, or adds it.
func (m *marker) hold(path string, index bool) (*heldFile, error) {
	h, err := holdFile(path, index)
	if err != nil {
		return nil, err
	}
	for _, known := range m.held {
		if known == h {
			h.release()
			return h, nil
		}
	}
	m.held = append(m.held, h)
	return h, nil
}

func (m *marker) close() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at.Store(nil)
	for _, h := range m.held {
		h.release()
	}
	m.held = nil
}

// errElsewhere: the mark is to be read from another file by now.
// errUnsure: a writer is at work there.
var (
	errElsewhere = errors.New("the journal mode has changed")
	errUnsure    = errors.New("the index is being written")
)

// mark reads the mark that the file tells.
func (h *heldFile) mark() (mark, error) {
	if h.index {
		return h.indexMark()
	}
	k := mark{file: h.id}
	n, err := unix.Pread(h.fd, k.header[:headerSize], formatAt)
	switch {
	case err != nil || n != headerSize: // an empty file is a database without tables
		return k, errUnsure
	case k.header[0] == formatWAL:
		return k, errElsewhere
	}
	return k, nil
}

func (h *heldFile) indexMark() (mark, error) {
	var st unix.Stat_t
	// The last connection of a database takes the index with it.
	if err := unix.Fstat(h.fd, &st); err != nil || st.Nlink == 0 {
		return mark{}, errElsewhere
	}
	var b [2 * indexHeader]byte
	if n, err := unix.Pread(h.fd, b[:], 0); err != nil || n != len(b) {
		return mark{}, errUnsure
	}
	k := mark{file: h.id, header: [indexHeader]byte(b[:])}
	// A writer changes the second copy first and then this one.
	if k.header != [indexHeader]byte(b[indexHeader:]) || k.header[indexInit] == 0 {
		return mark{}, errUnsure
	}
	return k, nil
}
