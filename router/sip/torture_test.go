package sip

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loadTorture reads a message of testdata/torture: comment lines with what is
// to be found ("# key: value"), then the message with bare line feeds.
func loadTorture(tb testing.TB, file string) (want map[string]string, raw string) {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	want = map[string]string{}
	text := string(b)
	for strings.HasPrefix(text, "# ") {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if k, v, ok := strings.Cut(line[2:], ": "); ok {
			want[k] = v
		}
	}
	return want, crlf(text)
}

func tortureFiles(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/torture/*.sip")
	if err != nil || len(files) == 0 {
		tb.Fatal("no files in testdata/torture:", err)
	}
	return files
}

// found says what a message has under a key of the files' comments.
func found(m *Message, key string) string {
	or := func(s string, err error) string {
		switch {
		case errors.Is(err, ErrAbsent):
			return "absent"
		case err != nil:
			return "bad"
		}
		return s
	}
	via := func(v *Via, err error) string {
		if err != nil {
			return or("", err)
		}
		return v.Host
	}
	uri := func(n *NameAddr, err error) string {
		if err != nil {
			return or("", err)
		}
		return n.URI
	}
	u, uerr := ParseURI(m.RequestURI())
	switch key {
	case "via":
		return via(m.Via())
	case "via2":
		return via(m.Via2())
	case "to-tag":
		return m.ToTag()
	case "from", "from-uri":
		return uri(m.From())
	case "to":
		return uri(m.To())
	case "cseq":
		q, err := m.CSeq()
		return or(fmt.Sprint(q.Num, " ", q.MethodName), err)
	case "max-forwards":
		n, _, err := m.MaxForwards()
		return or(fmt.Sprint(n), err)
	case "contacts":
		n, it := 0, m.ContactIter()
		for it.Next() {
			n++
		}
		return or(fmt.Sprint(n), it.Err())
	case "body":
		return fmt.Sprint(len(m.Body()))
	case "method":
		return m.Method().String()
	case "version":
		return m.Version()
	case "status":
		return fmt.Sprint(m.StatusCode())
	case "ruri":
		return or(m.RequestURI(), uerr)
	case "ruri-user":
		return or(u.User, uerr)
	case "ruri-scheme":
		if u.Scheme == SchemeOther {
			return or("other", uerr)
		}
		return or(u.Scheme.String(), uerr)
	}
	return "unknown key " + key
}

// TestTorture reads messages in the spirit of RFC 4475: legal ones that nobody
// writes, and broken ones that somebody sends.
func TestTorture(t *testing.T) {
	for _, file := range tortureFiles(t) {
		want, raw := loadTorture(t, file)
		m := new(Message)
		err := m.Parse(raw)
		if w := want["parse"]; (w == "ok") != (err == nil) || err != nil && !strings.Contains(err.Error(), w) {
			t.Errorf("%s: parse: %v, want %s", file, err, w)
		}
		for key, w := range want {
			if key == "parse" {
				continue
			}
			if got := found(m, key); got != w {
				t.Errorf("%s: %s is %q, want %q", file, key, got, w)
			}
		}
		if err == nil {
			if got := string(m.AppendTo(nil, nil)); got != raw[:len(got)] || len(got) < m.BodyOffset() {
				t.Errorf("%s: printed untouched it differs:\n%s", file, got)
			}
		}
	}
}
