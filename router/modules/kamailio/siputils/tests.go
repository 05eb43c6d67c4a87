package siputils

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// tests are the functions that only look.
func (s *siputils) tests() []module.Function {
	text := []module.Arg{format("text")}
	two := []module.Arg{format("text"), format("other")}
	all := run.AnyRoute
	return []module.Function{
		{Name: "has_totag", Help: "true within a dialog: To has a tag", In: all, New: simple(func(c *run.Context) bool { return c.Msg.ToTag() != "" })},
		{Name: "is_request", Help: "true for a request", In: all, New: simple(func(c *run.Context) bool { return c.Msg.IsRequest() })},
		{Name: "is_reply", Help: "true for a reply", In: all, New: simple(func(c *run.Context) bool { return !c.Msg.IsRequest() })},
		{Name: "is_first_hop", Help: "true when nobody stands between the sender and this daemon", Args: []module.Arg{{Name: "mode", Type: module.ArgInt, Optional: true}}, In: all, New: newIsFirstHop},
		{Name: "is_user", Help: "true when the credentials that were checked are those of a user", Args: []module.Arg{format("user")}, In: run.RequestRoute, New: s.newIsUser},
		{Name: "is_supported", Help: "true when Supported names an option", Args: []module.Arg{{Name: "option", Type: module.ArgConst}}, In: all, New: newIsSupported},
		{Name: "is_e164", Help: "true for + and 2 to 15 digits", Args: text, In: all, New: test(isE164, -1)},
		{Name: "is_tel_number", Help: "true for digits, with a + before them or not", Args: text, In: all, New: test(isTelNumber, -2)},
		{Name: "is_numeric", Help: "true for digits", Args: text, In: all, New: test(isNumeric, -2)},
		{Name: "is_alphanum", Help: "true for digits and ASCII letters", Args: text, In: all, New: test(func(v string) bool { return isAlphanum(v, "") }, -3)},
		{Name: "is_alphanumex", Help: "true for digits, ASCII letters and the characters given", Args: two, In: all, New: newIsAlphanumEx},
		{Name: "cmp_uri", Help: "true when two URIs are the same (RFC 3261 §19.1.4)", Args: two, In: all, New: compare(sip.EqualURI, -1)},
		{Name: "cmp_aor", Help: "true when two URIs are the same address of record", Args: two, In: all, New: compare(sip.EqualAOR, -1)},
		{Name: "cmp_hdr_name", Help: "true when two header names are the same, compact or full", Args: two, In: all, New: compare(sameName, -2)},
		{Name: "hdr_date_check", Help: "true when Date is not older than so many seconds", Args: []module.Arg{{Name: "seconds", Type: module.ArgInt}}, In: all, New: newDateCheck},
	}
}

func simple(ok func(*run.Context) bool) func(module.Args) (run.Func, error) {
	return func(module.Args) (run.Func, error) {
		return func(c *run.Context) int { return code(ok(c)) }, nil
	}
}

// test makes a function of a test of one text; no is its code for false.
func test(ok func(string) bool, no int) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			if ok(a.Str(c, 0)) {
				return 1
			}
			return no
		}, nil
	}
}

func compare(same func(a, b string) bool, no int) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			if same(a.Str(c, 0), a.Str(c, 1)) {
				return 1
			}
			return no
		}, nil
	}
}

func sameName(a, b string) bool {
	if k := sip.KindOf(a); k != sip.HdrOther {
		return k == sip.KindOf(b)
	}
	return strings.EqualFold(a, b)
}

func isNumeric(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isTelNumber(s string) bool { return isNumeric(strings.TrimPrefix(s, "+")) }

// isE164 wants a + and 2 to 15 digits, as Kamailio.
func isE164(s string) bool {
	return len(s) > 2 && len(s) <= 16 && s[0] == '+' && isNumeric(s[1:])
}

func isAlphanum(s, extra string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return s != ""
}

func newIsAlphanumEx(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if isAlphanum(a.Str(c, 0), a.Str(c, 1)) {
			return 1
		}
		return -3
	}, nil
}

// newIsUser believes the module that checked the credentials; where none is
// loaded nobody is authorized.
func (s *siputils) newIsUser(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if s.authed == nil {
			return -1
		}
		user := s.authed.AuthorizedUser(c)
		return code(user != "" && user == a.Str(c, 0))
	}, nil
}

// options are those that is_supported knows, as in Kamailio.
var options = []string{"path", "100rel", "timer", "eventlist", "gruu", "outbound"}

func newIsSupported(a module.Args) (run.Func, error) {
	option := strings.ToLower(a[0].Text)
	if !slices.Contains(options, option) {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf("option %q is none of %s", option, strings.Join(options, ", "))}
	}
	return func(c *run.Context) int { return code(c.Msg.HasToken(sip.HdrSupported, option)) }, nil
}

// newIsFirstHop: a request has one Via. A reply has this daemon's Record-Route on
// top, by address unless mode is 1, and does not come from itself.
func newIsFirstHop(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if c.Msg.IsRequest() {
			_, err := c.Msg.Via2()
			return code(err != nil)
		}
		it := c.Msg.Routes(sip.HdrRecordRoute)
		if !it.Next() {
			return -1
		}
		u, err := it.NameAddr().ParseURI()
		if err != nil || !c.Env.Myself(u.Host, u.Port, 0) {
			return -1
		}
		if a.Int(c, 0, 0) == 1 {
			return 1
		}
		addr, ok := sip.ParseHostAddr(u.Host)
		return code(ok && addr != c.Recv.Src.Addr().Unmap())
	}, nil
}

// newDateCheck answers, as Kamailio: -1 no Date, -2 not a date, -4 older.
func newDateCheck(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		h := c.Msg.First(sip.HdrDate)
		if h == nil {
			return -1
		}
		t, err := time.Parse(time.RFC1123, c.Msg.Value(h))
		if err != nil {
			return -2
		}
		if c.Now().Sub(t) > time.Duration(a.Int(c, 0, 0))*time.Second {
			return -4
		}
		return 1
	}, nil
}
