package schema

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"sipd/db"
)

// longestStatement is how many bytes a statement of a script may have.
const longestStatement = 128 << 20

// Script cuts SQL into statements, as the engine's own client does: a
// semicolon ends one, unless it stands in quotes, in a comment, between
// PostgreSQL's dollars or in the body of a trigger.
type Script struct {
	e  db.Engine
	in *bufio.Reader
	b  strings.Builder
}

// NewScript reads SQL of an engine.
func NewScript(e db.Engine, r io.Reader) *Script {
	return &Script{e: e, in: bufio.NewReaderSize(r, 1<<16)}
}

// Next gives the next statement, without its semicolon and what is blank or
// comment around it. io.EOF is the end; quotes without an end are an error.
func (s *Script) Next() (string, error) {
	s.b.Reset()
	for {
		c, err := s.in.ReadByte()
		if errors.Is(err, io.EOF) {
			if rest := strings.TrimSpace(s.b.String()); rest != "" {
				return rest, nil
			}
			return "", io.EOF
		}
		if err != nil {
			return "", err
		}
		if s.b.Len() >= longestStatement {
			return "", fmt.Errorf("a statement is longer than %d bytes", longestStatement)
		}
		switch {
		case c == ';':
			if text := strings.TrimSpace(s.b.String()); text != "" && !insideTrigger(text) {
				return text, nil
			} else if text != "" {
				s.b.WriteByte(c)
			}
		case c == '\'' || c == '"' || c == '`' && s.e != db.PostgreSQL:
			err = s.quoted(c)
		case c == '-' && s.peek() == '-', c == '#' && s.e == db.MySQL:
			err = s.lineComment()
		case c == '/' && s.peek() == '*':
			err = s.comment()
		case c == '$' && s.e == db.PostgreSQL:
			err = s.dollars()
		default:
			s.b.WriteByte(c)
		}
		if err != nil {
			return "", err
		}
	}
}

func (s *Script) peek() byte {
	b, err := s.in.Peek(1)
	if err != nil {
		return 0
	}
	return b[0]
}

// quoted takes what stands in quotes; a doubled quote looks like two texts
// side by side, which comes to the same.
func (s *Script) quoted(q byte) error {
	escapes := s.e == db.MySQL && q != '`'
	if s.e == db.PostgreSQL && q == '\'' {
		t := s.b.String()
		escapes = strings.HasSuffix(t, "E") || strings.HasSuffix(t, "e")
	}
	s.b.WriteByte(q)
	for s.b.Len() < longestStatement {
		c, err := s.in.ReadByte()
		if err != nil {
			return fmt.Errorf("a text in %c has no end", q)
		}
		s.b.WriteByte(c)
		if c == q {
			return nil
		}
		if c == '\\' && escapes {
			if c, err = s.in.ReadByte(); err == nil {
				s.b.WriteByte(c)
			}
		}
	}
	return fmt.Errorf("a statement is longer than %d bytes", longestStatement)
}

func (s *Script) lineComment() error {
	for {
		c, err := s.in.ReadByte()
		if errors.Is(err, io.EOF) || c == '\n' {
			s.b.WriteByte('\n')
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// comment passes over a comment; what MySQL executes in one stays.
func (s *Script) comment() error {
	head, _ := s.in.Peek(2)
	keep := s.e == db.MySQL && len(head) == 2 && head[1] == '!'
	if keep {
		s.b.WriteByte('/')
	} else {
		s.b.WriteByte(' ')
	}
	star := false
	for n := 0; n < longestStatement; n++ {
		c, err := s.in.ReadByte()
		if err != nil {
			return errors.New("a comment has no end")
		}
		if keep {
			s.b.WriteByte(c)
		}
		if star && c == '/' && n > 1 {
			return nil
		}
		star = c == '*'
	}
	return fmt.Errorf("a comment is longer than %d bytes", longestStatement)
}

// dollars takes PostgreSQL's $tag$ … $tag$; a $1 is none.
func (s *Script) dollars() error {
	s.b.WriteByte('$')
	tag := "$"
	for {
		c := s.peek()
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80 || '0' <= c && c <= '9' && len(tag) > 1
		if c != '$' && !letter {
			return nil
		}
		_, _ = s.in.ReadByte() // it was seen
		s.b.WriteByte(c)
		tag += string([]byte{c})
		if c == '$' {
			break
		}
	}
	var tail []byte
	for s.b.Len() < longestStatement {
		c, err := s.in.ReadByte()
		if err != nil {
			return fmt.Errorf("a text in %s has no end", tag)
		}
		s.b.WriteByte(c)
		if tail = append(tail, c); len(tail) > len(tag) {
			tail = tail[1:]
		}
		if string(tail) == tag {
			return nil
		}
	}
	return fmt.Errorf("a statement is longer than %d bytes", longestStatement)
}

// insideTrigger tells whether a semicolon behind text is one of a trigger's
// body.
func insideTrigger(text string) bool {
	f := strings.Fields(strings.ToUpper(text[:min(len(text), 200)]))
	if len(f) < 3 || f[0] != "CREATE" || f[1] != "TRIGGER" && f[2] != "TRIGGER" {
		return false
	}
	up := strings.ToUpper(text)
	return strings.Contains(up, "BEGIN") && !strings.HasSuffix(strings.TrimRight(up, " \t\r\n"), "END")
}
