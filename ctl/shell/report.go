package shell

import (
	"errors"
	"fmt"

	"sipd/ctl/plain"
	"sipd/rpc"
)

// Report prints the error of a command where the persona's users look for it
// and says whether the command counts as failed.
func (s *Shell) Report(err error) (failed bool) {
	several, isSeveral := errors.AsType[*ServersError](err)
	fault, isFault := errors.AsType[*rpc.Fault](err)
	odd, isOdd := errors.AsType[*oddFault](err)
	_, before := errors.AsType[*reported](err)
	switch {
	case err == nil:
		return false
	case before:
	case isOdd:
		fmt.Fprintf(s.Out, "error: %s - %s\n", s.safe(odd.code), s.safe(odd.Text))
	case isSeveral:
		fmt.Fprintf(s.Err, "%s: %s\n", s.Persona.Name, plain.Clean(several.Error()))
	case isFault && s.Persona.Elder:
		fmt.Fprintf(s.Out, "error: %d - %s\n", fault.Code, s.safe(fault.Text))
	case isFault:
		fmt.Fprintf(s.Err, "error: %d - %s\n", fault.Code, plain.Clean(fault.Text))
	case s.Persona.Elder:
		fmt.Fprintf(s.Err, "%s\n", plain.CleanLines(err.Error())) // "ERROR" is in the words
	default:
		fmt.Fprintf(s.Err, "%s: %s\n", s.Persona.Name, plain.CleanLines(err.Error()))
	}
	return true
}

func (s *Shell) safe(text string) string {
	if s.Terminal {
		return plain.CleanLines(text)
	}
	return text
}

// describe is an error in one line of a script's report.
func describe(err error) string {
	if several, ok := errors.AsType[*ServersError](err); ok {
		return plain.Clean(several.Error())
	}
	if f, ok := errors.AsType[*rpc.Fault](err); ok {
		return fmt.Sprintf("error: %d - %s", f.Code, plain.Clean(f.Text))
	}
	return plain.CleanLines(err.Error())
}
