package permissions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sipd/db"
	"sipd/router/module"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/transport"
	"sipd/rpc"
)

// peer is a row of the trusted table.
type peer struct {
	source           string
	proto            transport.Proto // ProtoNone: any
	from, ruri       *regex.Regexp   // nil: any
	fromText, ruText *string
	tag              *string
	priority         int
}

// trustedList is what was read, by source; it does not change.
type trustedList struct {
	bySource map[string][]peer
	order    []peer
}

func (p *permissions) trustedColumns() []string {
	return []string{p.sourceCol, p.protoCol, p.fromCol, p.ruriCol, p.tagCol, p.priorityCol}
}

func (p *permissions) selectTrusted(where []string) *db.Stmt {
	if p.conn.DB == nil {
		return nil
	}
	return p.conn.Select(p.trustedTable, p.trustedColumns(), where, "ORDER BY "+p.conn.Quote(p.priorityCol)+" DESC")
}

// parseProto reads the protocol of a row or a call; ok is false for "none" and
// what is none.
func parseProto(s string) (transport.Proto, bool) {
	if strings.EqualFold(s, "any") {
		return transport.ProtoNone, true
	}
	return transport.ParseProto(s)
}

// eachPeer reads the rows of a statement. Rows of protocol none match nothing
// and are left out.
func (p *permissions) eachPeer(ctx context.Context, s *db.Stmt, args []any, f func(peer)) error {
	return s.Each(ctx, args, func(scan func(...any) error) error {
		var x peer
		var source, proto db.Text
		var priority *int
		if err := scan(&source, &proto, &x.fromText, &x.ruText, &x.tag, &priority); err != nil {
			return err
		}
		x.source = string(source)
		if priority != nil {
			x.priority = *priority
		}
		var ok bool
		if x.proto, ok = parseProto(string(proto)); !ok {
			if strings.EqualFold(string(proto), "none") {
				return nil
			}
			return fmt.Errorf("table %s: %s has an unknown protocol %q", p.trustedTable, source, proto)
		}
		for _, e := range []struct {
			text *string
			re   **regex.Regexp
		}{{x.fromText, &x.from}, {x.ruText, &x.ruri}} {
			if e.text == nil {
				continue
			}
			re, err := regex.Compile(basic(*e.text), 0)
			if err != nil {
				return fmt.Errorf("table %s: %s: expression %q: %w", p.trustedTable, source, *e.text, err)
			}
			*e.re = re
		}
		f(x)
		return nil
	})
}

// basic writes a POSIX basic expression, which these columns have, as an
// extended one: what is special with a backslash in one is so without in the
// other.
func basic(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '[': // a set is the same in both
			end := i + 1
			if end < len(s) && s[end] == '^' {
				end++
			}
			if end < len(s) && s[end] == ']' {
				end++
			}
			for end < len(s) && s[end] != ']' {
				if s[end] == '[' && end+1 < len(s) && strings.IndexByte(":.=", s[end+1]) >= 0 {
					if n := strings.Index(s[end+2:], s[end+1:end+2]+"]"); n >= 0 {
						end += n + 3
					}
				}
				end++
			}
			end = min(end+1, len(s))
			b.WriteString(s[i:end])
			i = end - 1
		case '\\':
			if i+1 < len(s) && strings.IndexByte("(){}+?|", s[i+1]) >= 0 {
				b.WriteByte(s[i+1])
				i++
			} else if i+1 < len(s) {
				b.WriteString(s[i : i+2])
				i++
			} else {
				b.WriteByte(c)
			}
		case '(', ')', '{', '}', '+', '?', '|':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// readTrusted reads the table and swaps the list when all is right.
func (p *permissions) readTrusted(ctx context.Context) error {
	l := &trustedList{bySource: make(map[string][]peer)}
	if p.conn.DB != nil {
		s := p.selectTrusted(nil)
		defer s.Close()
		err := p.eachPeer(ctx, s, nil, func(x peer) {
			l.bySource[x.source] = append(l.bySource[x.source], x)
			l.order = append(l.order, x)
		})
		if err != nil {
			return err
		}
	}
	for _, list := range l.bySource {
		slices.SortStableFunc(list, func(a, b peer) int { return b.priority - a.priority })
	}
	p.trusted.Store(l)
	return nil
}

// newTrusted compiles allow_trusted.
func (p *permissions) newTrusted(a module.Args) (run.Func, error) {
	if p.conn == nil || p.backends&loadTrusted == 0 {
		return nil, errors.New(`there are no trusted peers; set modparam("permissions", "db_url", "…") and bit 2 of load_backends`)
	}
	return func(c *run.Context) int {
		source, proto := c.Recv.Src.Addr().Unmap().String(), c.Recv.Proto
		if a.Has(1) {
			var ok bool
			source = a.Str(c, 0)
			if proto, ok = parseProto(a.Str(c, 1)); !ok {
				return -1
			}
		}
		from := a.Str(c, 2)
		if from == "" {
			n, err := c.Msg.From()
			if err != nil {
				return -1
			}
			from = n.URI
		}
		return p.matchTrusted(c, source, proto, from)
	}, nil
}

func (p *permissions) matchTrusted(c *run.Context, source string, proto transport.Proto, from string) int {
	var list []peer
	if p.dbMode == 1 {
		list = p.trusted.Load().bySource[source]
	} else if err := p.eachPeer(context.Background(), p.bySource, []any{source}, func(x peer) { list = append(list, x) }); err != nil {
		p.failed.Log(c, err)
		return -1
	}
	n := 0
	for i := range list {
		x := &list[i]
		if x.proto != transport.ProtoNone && proto != transport.ProtoNone && x.proto != proto ||
			x.from != nil && !x.from.Match(from) || x.ruri != nil && !x.ruri.Match(c.Msg.RequestURI()) {
			continue
		}
		if x.tag != nil {
			p.tagged(c, *x.tag, true)
		}
		if n++; p.tagMode == 0 {
			return 1
		}
	}
	if n == 0 {
		return -1
	}
	return n
}

func (p *permissions) reloadTrusted(ctx context.Context, c *rpc.Call) error {
	if p.dbMode == 0 || p.conn == nil {
		return &rpc.Fault{Code: 500, Text: "Reload skipped (disabled cache)"}
	}
	return p.reload(p.readTrusted, loadTrusted)(ctx, c)
}

func orNull(s *string) rpc.Value {
	if s == nil {
		return rpc.String("NULL")
	}
	return rpc.String(*s)
}

// dumpTrusted repeats the members of one struct for each peer, as Kamailio.
func (p *permissions) dumpTrusted(_ context.Context, c *rpc.Call) error {
	l := p.trusted.Load()
	if l == nil {
		return &rpc.Fault{Code: 500, Text: "No trusted table"}
	}
	s := rpc.Struct{}
	for i := range l.order {
		x := &l.order[i]
		s = append(s, rpc.M("table", slot(x.source)), rpc.M("item", rpc.Struct{
			rpc.M("ip", rpc.String(x.source)), rpc.M("proto", rpc.Int(x.proto)), rpc.M("pattern", orNull(x.fromText)),
			rpc.M("ruri_pattern", orNull(x.ruText)), rpc.M("tag", orNull(x.tag)), rpc.M("priority", rpc.Int(x.priority)),
		}))
	}
	c.Add(s)
	return nil
}
