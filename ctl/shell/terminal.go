package shell

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/peterh/liner"

	"sipd/ctl/plain"
)

// Terminal reads lines from a person at a terminal, with history and
// completion. Close it to get the terminal back as it was.
type Terminal struct {
	state   *liner.State
	history string
}

// NewTerminal takes the terminal of standard input and output. history is the
// file that keeps the lines between sessions, "" for none.
func NewTerminal(ctx context.Context, s *Shell, history string) *Terminal {
	t := &Terminal{liner.NewLiner(), history}
	t.state.SetCtrlCAborts(true)
	t.state.SetTabCompletionStyle(liner.TabPrints)
	t.state.SetWordCompleter(func(line string, pos int) (string, []string, string) {
		// pos counts characters.
		at := len(line)
		for i := range line {
			if utf8.RuneCountInString(line[:i]) == pos {
				at = i
				break
			}
		}
		head, words := s.Complete(ctx, line[:at])
		for i, w := range words {
			words[i] = plain.Clean(w)
		}
		return head, words, line[at:]
	})
	if history != "" {
		if f, err := os.Open(history); err == nil {
			_, _ = t.state.ReadHistory(f) // without history it works as well
			_ = f.Close()
		}
	}
	return t
}

// ReadLine implements [LineReader].
func (t *Terminal) ReadLine(prompt string) (string, error) {
	line, err := t.state.Prompt(prompt)
	if errors.Is(err, liner.ErrPromptAborted) {
		return "", ErrInterrupted
	}
	if err == nil && strings.TrimSpace(line) != "" {
		t.state.AppendHistory(line)
	}
	return line, err
}

// Close restores the terminal and writes the history. A history that cannot
// be written is an error; all else is in order then.
func (t *Terminal) Close() error {
	err := t.state.Close()
	if t.history == "" {
		return err
	}
	return errors.Join(err, t.save())
}

// save writes the history where only its owner reads it: arguments may be
// secrets.
func (t *Terminal) save() error {
	if err := os.MkdirAll(filepath.Dir(t.history), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.OpenFile(t.history, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = t.state.WriteHistory(f)
	return errors.Join(err, f.Close())
}
