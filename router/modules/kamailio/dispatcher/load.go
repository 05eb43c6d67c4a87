package dispatcher

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sipd/db"
	"sipd/router/sip"
	"sipd/router/transport"
)

// read reads all sets from the file or the table.
func (d *dispatcher) read(ctx context.Context) (*list, error) {
	if d.dbURL != "" {
		return d.readTable(ctx)
	}
	return d.readFile(ctx)
}

// path takes a file from the folder of the configuration.
func (d *dispatcher) path() string {
	if filepath.IsAbs(d.file) || d.host.ConfigPath == "" {
		return d.file
	}
	return filepath.Join(filepath.Dir(d.host.ConfigPath), d.file)
}

func (d *dispatcher) readFile(ctx context.Context) (*list, error) {
	path := d.path()
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("list_file: %w", err)
	}
	defer f.Close()
	l := newList()
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		r, ok, err := parseLine(in.Text())
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if !ok {
			continue
		}
		if err := d.put(ctx, l, r); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("list_file %s: %w", path, err)
	}
	l.finish()
	return l, nil
}

// row is what the file or the table says of a destination.
type row struct {
	set, flags, priority int
	uri, attrs           string
}

// parseLine reads "SET URI [FLAGS [PRIORITY [ATTRS]]]"; ok is false for a line
// with nothing in it. A # ends the line where a field may begin.
func parseLine(line string) (r row, ok bool, err error) {
	fields := strings.Fields(line)
	for i, f := range fields {
		if f[0] == '#' {
			fields = fields[:i]
			break
		}
	}
	if len(fields) == 0 {
		return r, false, nil
	}
	if r.set, err = strconv.Atoi(fields[0]); err != nil || r.set < 0 {
		return r, false, fmt.Errorf("%q is not the number of a set; a line is SET URI [FLAGS [PRIORITY [ATTRIBUTES]]]", fields[0])
	}
	if len(fields) < 2 {
		return r, false, errors.New("no URI; a line is SET URI [FLAGS [PRIORITY [ATTRIBUTES]]]")
	}
	r.uri, _, _ = strings.Cut(fields[1], "#")
	for i, to := range []*int{&r.flags, &r.priority} {
		if len(fields) > i+2 {
			if *to, err = strconv.Atoi(fields[i+2]); err != nil || *to < 0 {
				return r, false, fmt.Errorf("%q is no number", fields[i+2])
			}
		}
	}
	if len(fields) > 4 {
		r.attrs = fields[4]
	}
	return r, true, nil
}

func (d *dispatcher) columns() []string {
	cols := []string{d.setCol, d.uriCol, d.flagsCol, d.priorityCol, d.attrsCol}
	for _, x := range d.extra {
		cols = append(cols, x.column)
	}
	return cols
}

func (d *dispatcher) readTable(ctx context.Context) (*list, error) {
	l := newList()
	if d.conn.DB == nil { // only checked
		return l, nil
	}
	q := d.conn.Select(d.table, d.columns(), nil, "")
	defer q.Close()
	var rows []row
	err := q.Each(ctx, nil, func(scan func(...any) error) error {
		var flags, priority sql.NullInt64
		var uri, text db.Text
		more := make([]db.Text, len(d.extra))
		var r row
		to := []any{&r.set, &uri, &flags, &priority, &text}
		for i := range more {
			to = append(to, &more[i])
		}
		if err := scan(to...); err != nil {
			return err
		}
		r.uri, r.flags, r.priority, r.attrs = string(uri), int(flags.Int64), int(priority.Int64), string(text)
		for i, x := range d.extra {
			if more[i] == "" {
				continue
			}
			if r.attrs != "" && !strings.HasSuffix(r.attrs, ";") {
				r.attrs += ";"
			}
			r.attrs += x.name + "=" + string(more[i])
		}
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if err := d.put(ctx, l, r); err != nil {
			return nil, fmt.Errorf("table %s: %w", d.table, err)
		}
	}
	l.finish()
	return l, nil
}

// put makes a destination and adds it; a bad one is logged and left out, unless
// ds_load_mode is 1.
func (d *dispatcher) put(ctx context.Context, l *list, r row) error {
	x, err := d.newDest(ctx, r)
	if err == nil {
		l.add(r.set, x)
		return nil
	}
	err = fmt.Errorf("set %d, %s: %w", r.set, r.uri, err)
	if d.loadMode == 1 {
		return err
	}
	d.host.Log.LogAttrs(ctx, slog.LevelWarn, "destination left out", slog.String("module", "dispatcher"), slog.Any("err", err))
	return nil
}

// newDest checks a destination and looks its address up.
func (d *dispatcher) newDest(ctx context.Context, r row) (*dest, error) {
	u, err := sip.ParseURI(r.uri)
	if err != nil || u.Scheme == sip.SchemeOther {
		r.uri = "sip:" + r.uri
		if u, err = sip.ParseURI(r.uri); err != nil {
			return nil, err
		}
	}
	if u.Host == "" {
		return nil, errors.New("the URI has no host")
	}
	x := &dest{uri: r.uri, host: u.Host, written: written(&u), flags: r.flags, priority: r.priority}
	x.at = x.written
	text := strings.TrimSuffix(r.attrs, ";")
	if text == "" && d.attrsNone {
		text = "none=yes"
	}
	if text != "" {
		x.hasAttrs = true
		x.readAttrs(text)
	}
	if x.sock, err = d.socketOf(&x.attrs); err != nil {
		return nil, err
	}
	if x.flags&noLookup != 0 || d.dnsMode&(dnsInit|dnsTimer) == 0 {
		return x, nil
	}
	if x.at, err = d.lookup(ctx, x.host, x.written); err != nil {
		return nil, err
	}
	x.seenAt = time.Now()
	return x, nil
}

// lookup finds the address of a host; port and protocol are those that the URI
// writes, unless ds_dns_mode asks for services (RFC 3263): then those that follow.
// Where there is no network a name has no address.
func (d *dispatcher) lookup(ctx context.Context, host string, p place) (place, error) {
	services := d.dnsMode&dnsServices != 0
	if a, ok := sip.ParseHostAddr(host); ok && !services {
		p.addr = a.Unmap()
		return p, nil
	}
	if d.host.CheckOnly || d.host.Env.Transport == nil {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	port, proto := uint16(5060), transport.UDP // whatever they are: an address is asked for
	if services {
		port, proto = p.port, p.proto
	}
	to, err := d.host.Env.Transport.ResolveOne(ctx, host, port, proto, false)
	if err != nil {
		return p, err
	}
	if services {
		p.port, p.proto = to.Addr.Port(), to.Proto
	}
	p.addr = to.Addr.Addr().Unmap()
	return p, nil
}

// readAttrs reads "duid=a;weight=50".
func (x *dest) readAttrs(text string) {
	a := &x.attrs
	a.body = text
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(part, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		n, err := strconv.Atoi(value)
		percent := n
		if n < 1 || n > 100 {
			percent = 0
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "duid":
			a.duid = value
		case "cc":
			a.congestion = n != 0
		case "weight":
			a.weight = percent
		case "rweight":
			a.rweight, x.rweight = percent, percent
		case "maxload":
			a.maxload = n
		case "latency":
			if err == nil {
				x.latency.start(n, trained)
			}
		case "socket":
			a.socket = value
		case "sockname":
			a.sockname = value
		case "ping_from":
			a.pingFrom = value
		case "obproxy":
			a.outbound = value
		}
	}
}

// socketOf is the socket that the attributes name, else the module's.
func (d *dispatcher) socketOf(a *attrs) (*transport.Socket, error) {
	switch {
	case a.sockname != "":
		return d.findSocket(a.sockname, true)
	case a.socket != "":
		return d.findSocket(a.socket, false)
	}
	return d.defaultSock, nil
}

func (d *dispatcher) findSocket(text string, byName bool) (*transport.Socket, error) {
	proto, host, port := transport.UDP, "", uint16(0)
	if !byName {
		rest := text
		if head, tail, ok := strings.Cut(text, ":"); ok {
			if p, ok := transport.ParseProto(head); ok {
				proto, rest = p, tail
			}
		}
		var err error
		if host, port, err = sip.SplitHostPort(rest); err != nil {
			return nil, fmt.Errorf("socket %s: want PROTOCOL:ADDRESS:PORT", text)
		}
		if port == 0 {
			port = 5060
		}
	}
	if d.host.CheckOnly || d.host.Env.Transport == nil {
		return nil, nil
	}
	if byName {
		for _, s := range d.host.Env.Transport.Sockets() {
			if s.Name == text {
				return s, nil
			}
		}
	} else if s := d.host.Env.Transport.SocketFor(proto, host, port); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("socket %s is none that the daemon listens on", text)
}
