// Package siputils is the module of small tests and edits of URIs, headers and
// contacts, and of the answer to OPTIONS.
package siputils

import (
	"context"
	"errors"
	"fmt"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

type siputils struct {
	accept, encoding, language, support string
	separator                           string
	rpidPrefix, rpidSuffix, rpidAVP     string

	rpid   pv.Getter
	hooks  *module.Hooks
	authed authorized
}

// authorized is what module auth tells about the request's sender.
type authorized interface {
	// AuthorizedUser is the user whose credentials passed, "" for none.
	AuthorizedUser(*run.Context) string
}

// defaultRPID is the attribute for Remote-Party-ID unless rpid_avp names another.
const defaultRPID = "$avp(s:rpid)"

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &siputils{
		accept: "*/*", language: "en", separator: "*",
		rpidSuffix: ";party=calling;id-type=subscriber;screen=yes", rpidAVP: defaultRPID,
	}
}

// Exports lists what the module brings.
func (s *siputils) Exports() *module.Exports {
	e := &module.Exports{
		Name: "siputils",
		Help: "tests and edits of URIs, headers and contacts; answers OPTIONS",
		Params: []module.Param{
			{Name: "options_accept", Help: "Accept of options_reply", Value: &s.accept},
			{Name: "options_accept_encoding", Help: "Accept-Encoding of options_reply", Value: &s.encoding},
			{Name: "options_accept_language", Help: "Accept-Language of options_reply", Value: &s.language},
			{Name: "options_support", Help: "Supported of options_reply", Value: &s.support},
			{Name: "contact_flds_separator", Help: "what stands between the fields of an encoded contact: one character", Value: &s.separator, Check: s.checkSeparator},
			{Name: "rpid_prefix", Help: "what Remote-Party-ID starts with", Value: &s.rpidPrefix},
			{Name: "rpid_suffix", Help: "what Remote-Party-ID ends with", Value: &s.rpidSuffix},
			{Name: "rpid_avp", Help: "attribute with the URI for Remote-Party-ID", Value: &s.rpidAVP},
		},
		Vars: []pv.Def{{Name: "pcv", Help: "$pcv(all|value|genaddr|orig|term): P-Charging-Vector and its parts", New: newPCV}},
	}
	e.Functions = append(e.Functions, s.tests()...)
	e.Functions = append(e.Functions, s.uriFunctions()...)
	e.Functions = append(e.Functions, s.contactFunctions()...)
	e.Functions = append(e.Functions, s.headerFunctions()...)
	return e
}

func (s *siputils) checkSeparator() error {
	if s.separator == "" {
		return errors.New("it needs one character")
	}
	return nil
}

// Init compiles the attribute and finds the module that knows who is authorized.
func (s *siputils) Init(_ context.Context, h *module.Host) error {
	s.hooks = h.Hooks
	s.separator = s.separator[:1]
	s.authed, _ = h.Module("auth").(authorized)
	if s.rpidAVP == "" {
		return nil
	}
	v, n, err := h.Vars.ParseVar(s.rpidAVP, pv.Kamailio)
	if err != nil && s.rpidAVP == defaultRPID {
		return nil // without module pv there are no attributes, and nothing to put there
	}
	if err == nil && n != len(s.rpidAVP) {
		err = errors.New("it must be one attribute, like $avp(s:rpid)")
	}
	if err != nil {
		return fmt.Errorf("rpid_avp %q: %w", s.rpidAVP, err)
	}
	s.rpid = v.Get
	return nil
}

// Shorthands for the tables of functions.
func format(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgFormat} }

func optional(a module.Arg) module.Arg {
	a.Optional = true
	return a
}

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}
