package textops

import (
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// bodyFunctions read and replace the body.
func (x *textops) bodyFunctions() []module.Function {
	withType := []module.Arg{format("body"), format("content type")}
	return []module.Function{
		{Name: "set_body", Help: "replace the body and its Content-Type", Args: withType, In: editable, New: newSetBody},
		{Name: "set_reply_body", Help: "give the reply that is built later a body", Args: withType, In: run.RequestRoute | run.FailureRoute | run.BranchRoute, New: newSetReplyBody},
		{Name: "filter_body", Help: "leave only the first part of a type in a multipart body", Args: []module.Arg{format("content type")}, In: editable, New: newFilterBody},
		{Name: "has_body", Help: "true when there is a body, of a type when one is given", Args: []module.Arg{optional(format("content type"))}, In: run.AnyRoute, New: newHasBody},
	}
}

func newSetBody(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		m := c.Msg
		text, typ := a.Str(c, 0), a.Str(c, 1)
		if text == "" || typ == "" {
			return -1
		}
		from, to := body(m)
		if from < to {
			if m.Edits.Replace(from, to, text) != nil {
				return -1
			}
		} else {
			m.Edits.Insert(to, text)
		}
		h := m.First(sip.HdrContentType)
		switch {
		case h == nil:
			m.Edits.Insert(end(m), "Content-Type: "+typ+"\r\n")
		case m.Value(h) != typ:
			if m.Edits.Replace(h.ValueStart(), h.ValueEnd(), typ) != nil {
				return -1
			}
		}
		return 1
	}, nil
}

func newSetReplyBody(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		text, typ := a.Str(c, 0), a.Str(c, 1)
		if text == "" || typ == "" {
			return -1
		}
		c.ReplyBody, c.ReplyType = text, typ
		return 1
	}, nil
}

// mediaType is type/subtype in lower case, without parameters.
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(s))
}

func newHasBody(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if c.Msg.Body() == "" {
			return -1
		}
		if !a.Has(0) {
			return 1
		}
		want := mediaType(a.Str(c, 0))
		h := c.Msg.First(sip.HdrContentType)
		if h == nil { // RFC 3261 §20.15: without the header the type is not known; SDP is what it was
			return code(want == "application/sdp")
		}
		return code(mediaType(c.Msg.Value(h)) == want)
	}, nil
}

func newFilterBody(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		m := c.Msg
		want := mediaType(a.Str(c, 0))
		h := m.First(sip.HdrContentType)
		if h == nil || m.Body() == "" {
			return -1
		}
		if got := mediaType(m.Value(h)); !strings.HasPrefix(got, "multipart/") {
			return code(got == want)
		}
		boundary := boundaryOf(m.Value(h))
		if boundary == "" {
			return -1
		}
		return code(keepPart(m, boundary, want))
	}, nil
}

func boundaryOf(contentType string) string {
	i := strings.Index(strings.ToLower(contentType), "boundary=")
	if i < 0 {
		return ""
	}
	b := contentType[i+len("boundary="):]
	if strings.HasPrefix(b, `"`) {
		b, _, _ = strings.Cut(b[1:], `"`)
		return b
	}
	b, _, _ = strings.Cut(b, ";")
	return strings.TrimSpace(b)
}

// keepPart deletes every part of a multipart body but the first one of a type;
// what is left is still a multipart body, of one part (RFC 2046 §5.1).
func keepPart(m *sip.Message, boundary, want string) bool {
	raw := m.Raw()
	from, _ := body(m)
	text := raw[from:]
	var marks []int // where the delimiter lines start
	for i := 0; ; {
		j := strings.Index(text[i:], "--"+boundary)
		if j < 0 {
			break
		}
		if j += i; j == 0 || text[j-1] == '\n' {
			marks = append(marks, j)
		}
		i = j + 2
	}
	keep := -1
	for k := 0; k+1 < len(marks) && keep < 0; k++ {
		if partType(text[marks[k]:marks[k+1]]) == want {
			keep = k
		}
	}
	if keep < 0 {
		return false
	}
	closing := marks[len(marks)-1]
	ok := true
	if marks[0] < marks[keep] {
		ok = m.Edits.Delete(from+marks[0], from+marks[keep]) == nil
	}
	if marks[keep+1] < closing {
		ok = m.Edits.Delete(from+marks[keep+1], from+closing) == nil && ok
	}
	return ok
}

// partType is the media type of a part that starts with its delimiter line.
func partType(s string) string {
	_, head, _ := strings.Cut(s, "\n")
	for head != "" {
		line, rest, _ := strings.Cut(head, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(strings.TrimSpace(name), "Content-Type") {
			return mediaType(value)
		}
		head = rest
	}
	return "text/plain" // RFC 2046 §5.1: the default
}
