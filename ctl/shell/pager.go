package shell

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/term"
)

// out is where a reply goes: Out itself, or at a terminal the pager as soon as
// the reply is longer than the screen. done must be called with the error of
// writing and returns it; a pager that was left early is none.
func (s *Shell) out() (out io.Writer, done func(error) error) {
	file, ok := s.Out.(*os.File)
	if !ok || !s.Terminal || s.Pager == "" {
		return s.Out, func(err error) error { return err }
	}
	_, rows, err := term.GetSize(int(file.Fd()))
	if err != nil || rows < 3 {
		return s.Out, func(err error) error { return err }
	}
	p := &pager{command: s.Pager, out: file, errs: s.Err, rows: rows - 1}
	return p, p.done
}

// pager holds lines back until they are more than the screen has, then starts
// the command and writes to it.
type pager struct {
	command string
	out     *os.File
	errs    io.Writer
	rows    int

	held []byte
	cmd  *exec.Cmd
	in   io.WriteCloser
	gone bool // it could not be started
}

func (p *pager) Write(b []byte) (int, error) {
	switch {
	case p.gone:
		return p.out.Write(b)
	case p.in != nil:
		return p.in.Write(b)
	}
	p.held = append(p.held, b...)
	if bytes.Count(p.held, []byte("\n")) < p.rows {
		return len(b), nil
	}
	held := p.held
	p.held = nil
	var err error
	if p.start() == nil {
		_, err = p.in.Write(held)
	} else { // no pager: straight to the terminal
		p.gone = true
		_, err = p.out.Write(held)
	}
	return len(b), err
}

// start runs the command as git and man run theirs: through the shell, with
// settings for less that leave the text on the screen.
func (p *pager) start() error {
	cmd := exec.Command("/bin/sh", "-c", p.command)
	cmd.Stdout, cmd.Stderr = p.out, p.errs
	cmd.Env = os.Environ()
	if os.Getenv("LESS") == "" {
		cmd.Env = append(cmd.Env, "LESS=FRX")
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.in = cmd, in
	return nil
}

func (p *pager) done(err error) error {
	if p.in == nil {
		if len(p.held) > 0 {
			_, werr := p.out.Write(p.held)
			err = errors.Join(err, werr)
		}
		return err
	}
	_ = p.in.Close()
	_ = p.cmd.Wait() // how it ends is the reader's business
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}
