package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sipd/router"
	"sipd/router/script"
)

// errTold ends a run whose failure was written already.
var errTold = errors.New("told already")

// verdict is what "sipd -c -o json" writes.
type verdict struct {
	File string `json:"file"`
	OK   bool   `json:"ok"`
	// Messages are the warnings, then the mistakes, each in order of the sources.
	Messages []finding `json:"messages"`
}

// finding is one message. Lines and columns count from 1, columns in octets;
// the end is behind the last octet. They are 0 for what has no place.
type finding struct {
	Severity  string `json:"severity"` // "error" or "warning"
	File      string `json:"file,omitempty"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndLine   int    `json:"endLine"`
	EndColumn int    `json:"endColumn"`
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"`
}

func newFinding(severity string, e *script.Error) finding {
	return finding{
		severity, e.Pos.File(), e.Pos.Line(), e.Pos.Col(), e.Pos.EndLine(), e.Pos.EndCol(), e.Msg, e.Hint,
	}
}

// checkJSON checks the configuration and writes the verdict for programs.
func (f *flags) checkJSON(ctx context.Context, w io.Writer) error {
	v := verdict{File: f.opt.Config, Messages: []finding{}}
	f.opt.Stderr = nil
	f.opt.Warn = func(e *script.Error) { v.Messages = append(v.Messages, newFinding("warning", e)) }
	r, err := router.Load(ctx, f.opt)
	if err == nil {
		err = r.Close()
	}
	var listed *router.ListedError
	switch {
	case errors.As(err, &listed):
		for _, e := range listed.ErrorList {
			v.Messages = append(v.Messages, newFinding("error", e))
		}
	case err != nil:
		all := []error{err}
		if j, ok := err.(interface{ Unwrap() []error }); ok {
			all = j.Unwrap()
		}
		for _, err := range all {
			v.Messages = append(v.Messages, finding{Severity: "error", Message: err.Error()})
		}
	}
	v.OK = err == nil
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if werr := enc.Encode(v); werr != nil {
		return fmt.Errorf("write: %w", werr)
	}
	if err != nil {
		return errTold
	}
	return nil
}
