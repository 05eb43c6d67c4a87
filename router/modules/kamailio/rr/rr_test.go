package rr

import (
	"net/netip"
	"strings"
	"testing"

	"sipd/router/module/moduletest"
	"sipd/router/sip"
	"sipd/router/transport"
)

func message(uri, headers, to string) string {
	return "INVITE " + uri + " SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\n" + headers +
		"From: <sip:a@x>;tag=ft1\nTo: <sip:b@x>" + to + "\nCall-ID: c\nCSeq: 1 INVITE\nMax-Forwards: 70\n\n"
}

var (
	udp1 = transport.NewSocket(transport.UDP, netip.MustParseAddrPort("127.0.0.1:25060"))
	udp2 = transport.NewSocket(transport.UDP, netip.MustParseAddrPort("127.0.0.2:5060"))
	tcp1 = transport.NewSocket(transport.TCP, netip.MustParseAddrPort("127.0.0.1:25060"))
)

// recordRoutes are the Record-Route values of the message as it leaves by a socket.
func recordRoutes(r *moduletest.Rig, out *transport.Socket) string {
	text := string(r.Ctx.Msg.AppendTo(nil, &sip.PrintOptions{Out: out, TopVia: "Via: ours\r\n"}, &r.Ctx.Msg.Edits))
	var got []string
	for _, l := range strings.Split(text, "\r\n")[1:] {
		v, ok := strings.CutPrefix(l, "Record-Route: ")
		if !ok {
			break // they come first, as in Kamailio
		}
		got = append(got, v)
	}
	return strings.Join(got, " ")
}

// TestRecord compares with what Kamailio 5.6.3 wrote.
func TestRecord(t *testing.T) {
	type call []string
	for _, tt := range []struct {
		what   string
		params string // name=value …
		uri    string
		calls  []call
		in     *transport.Socket
		out    *transport.Socket
		want   string
	}{
		{"plain", "", "sip:b@h", []call{{"record_route"}}, udp1, udp1, "<sip:127.0.0.1:25060;lr;ftag=ft1>"},
		{"port 5060", "", "sip:b@h", []call{{"record_route"}}, udp2, udp2, "<sip:127.0.0.2;lr;ftag=ft1>"},
		{"tcp", "", "sip:b@h", []call{{"record_route"}}, tcp1, tcp1, "<sip:127.0.0.1:25060;transport=tcp;lr;ftag=ft1>"},
		{"other socket", "", "sip:b@h", []call{{"record_route"}}, udp1, udp2, "<sip:127.0.0.2;r2=on;lr;ftag=ft1> <sip:127.0.0.1:25060;r2=on;lr;ftag=ft1>"},
		{"other transport", "", "sip:b@h", []call{{"record_route"}}, udp1, tcp1, "<sip:127.0.0.1:25060;transport=tcp;r2=on;lr;ftag=ft1> <sip:127.0.0.1:25060;r2=on;lr;ftag=ft1>"},
		{"twice", "", "sip:b@h", []call{{"record_route", ";a=b"}, {"record_route", ";c=d"}}, udp1, udp1, "<sip:127.0.0.1:25060;lr;ftag=ft1;a=b>"},
		{"parameters", "", "sip:b@h", []call{{"add_rr_param", ";x=1"}, {"record_route"}, {"add_rr_param", ";y=2"}}, udp1, udp1, "<sip:127.0.0.1:25060;lr;ftag=ft1;x=1;y=2>"},
		{"removed", "", "sip:b@h", []call{{"record_route"}, {"remove_record_route"}}, udp1, udp1, ""},
		{"removed and back", "", "sip:b@h", []call{{"record_route", ";a"}, {"remove_record_route"}, {"record_route"}}, udp1, udp1, "<sip:127.0.0.1:25060;lr;ftag=ft1>"},
		{"sips", "", "sips:b@h", []call{{"record_route"}}, udp1, udp1, "<sips:127.0.0.1:25060;lr;ftag=ft1>"},
		{"sips ignored", "ignore_sips=1", "sips:b@h", []call{{"record_route"}}, udp1, udp1, "<sip:127.0.0.1:25060;lr;ftag=ft1>"},
		{"always two", "enable_double_rr=2 enable_full_lr=1 add_username=1", "sip:b@h", []call{{"record_route"}}, udp1, udp1, "<sip:b@127.0.0.1:25060;r2=on;lr=on;ftag=ft1> <sip:b@127.0.0.1:25060;r2=on;lr=on;ftag=ft1>"},
		{"never two", "enable_double_rr=0 append_fromtag=0", "sip:b@h", []call{{"record_route"}}, udp1, tcp1, "<sip:127.0.0.1:25060;lr>"},
		{"no user to add", "add_username=1", "sip:h", []call{{"record_route"}}, udp1, udp1, "<sip:127.0.0.1:25060;lr;ftag=ft1>"},
		{"preset", "", "sip:b@h", []call{{"add_rr_param", ";x=1"}, {"record_route_preset", "1.2.3.4:5090;q=1"}}, udp1, tcp1, "<sip:1.2.3.4:5090;q=1;ftag=ft1;x=1;lr>"},
		{"preset of two", "add_username=1", "sip:b@h", []call{{"record_route_preset", "h1;r2=on", "h2;r2=on"}}, udp1, udp1, "<sip:b@h1;r2=on;ftag=ft1;lr> <sip:b@h2;r2=on;ftag=ft1;lr>"},
		{"advertised", "", "sip:b@h", []call{{"record_route_advertised_address", "1.2.3.4:5080"}}, tcp1, tcp1, "<sip:1.2.3.4:5080;ftag=ft1;lr>"},
		{"advertised, other socket", "", "sip:b@h", []call{{"record_route_advertised_address", "1.2.3.4:5080"}}, udp1, udp2, "<sip:1.2.3.4:5080;ftag=ft1;lr>"},
		{"advertised, other transport", "", "sip:b@h", []call{{"record_route_advertised_address", "1.2.3.4:5080"}}, udp1, tcp1, "<sip:1.2.3.4:5080;transport=tcp;r2=on;ftag=ft1;lr> <sip:1.2.3.4:5080;transport=udp;r2=on;ftag=ft1;lr>"},
		{"advertised, never two", "enable_double_rr=0", "sip:b@h", []call{{"record_route_advertised_address", "1.2.3.4:5080"}}, udp1, tcp1, "<sip:1.2.3.4:5080;transport=udp;ftag=ft1;lr>"},
	} {
		r := moduletest.New(t, New())
		for _, p := range strings.Fields(tt.params) {
			name, value, _ := strings.Cut(p, "=")
			r.Param("rr", name, int(value[0]-'0'))
		}
		r.Message(message(tt.uri, "Record-Route: <sip:old;lr>\n", ""))
		r.Ctx.Recv.Sock = tt.in
		for i, c := range tt.calls {
			var args []any
			for _, a := range c[1:] {
				args = append(args, a)
			}
			want := 1
			if tt.what == "twice" && i == 1 {
				want = -1
			}
			if rc := r.Call(c[0], args...); rc != want {
				t.Errorf("%s: %s answers %d, want %d", tt.what, c[0], rc, want)
			}
		}
		if got := recordRoutes(r, tt.out); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.what, got, tt.want)
		}
	}
}

// TestName carries the socket's name and the address it advertises.
func TestName(t *testing.T) {
	r := moduletest.New(t, New()).Param("rr", "sockname_mode", 1).Param("rr", "custom_user_avp", "$avp(u)").Param("rr", "add_username", 1)
	r.Message(message("sip:b@h", "", ""))
	s := *udp1
	s.Name, s.AdvHost, s.AdvPort = "s1", "9.8.7.6", 5060
	r.Ctx.Recv.Sock = &s
	r.SetVar("$avp(u)", "cu")
	r.Call("record_route")
	if got, want := recordRoutes(r, &s), "<sip:cu@9.8.7.6;sn=s1;lr;ftag=ft1>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestLoose compares with what Kamailio 5.6.3 did; 127.0.0.1 and sipd.test are ours.
func TestLoose(t *testing.T) {
	const me, also = "sip:127.0.0.1", "sip:sipd.test"
	for _, tt := range []struct {
		uri, routes, to string
		rc              [3]int // loose_route, _preloaded, _mode(1)
		wantURI, du     string
		left            string
		next            bool
	}{
		{"sip:b@h", "", "", [3]int{-1, -1, -1}, "sip:b@h", "", "", false},
		{"sip:b@h", "<" + me + ";lr>", "", [3]int{-3, 1, -3}, "sip:b@h", "", "", false},
		{"sip:b@h", "<" + me + ";lr>", ";tag=9", [3]int{1, -1, 1}, "sip:b@h", "", "", false},
		{"sip:b@h", "<" + me + ";lr>, <sip:3.3.3.3;lr>", ";tag=9", [3]int{1, -1, 1}, "sip:b@h", "sip:3.3.3.3;lr", "Route: <sip:3.3.3.3;lr>", true},
		{"sip:b@h", "<sip:3.3.3.3;lr>, <sip:4.4.4.4>", ";tag=9", [3]int{1, -1, 1}, "sip:b@h", "sip:3.3.3.3;lr", "Route: <sip:3.3.3.3;lr>, <sip:4.4.4.4>", false},
		{"sip:b@h", "<" + me + ";lr>, <sip:3.3.3.3>, <sip:4.4.4.4;lr>", ";tag=9", [3]int{1, -1, 1}, "sip:3.3.3.3", "", "Route: <sip:4.4.4.4;lr>|Route: <sip:b@h>", true},
		{"sip:b@h", "<" + me + ";r2=on;lr>, <" + also + ";r2=on;lr>", ";tag=9", [3]int{1, -1, 1}, "sip:b@h", "", "", false},
		{"sip:b@h", "<" + me + ";r2=on;lr>|<" + also + ";r2=on;lr>|<sip:3.3.3.3;lr>", ";tag=9", [3]int{1, -1, 1}, "sip:b@h", "sip:3.3.3.3;lr", "Route: <sip:3.3.3.3;lr>", true},
		{"sip:b@h", "<" + me + ";r2=on;lr>, <sip:5.5.5.5;lr>", "", [3]int{-3, 1, -3}, "sip:b@h", "", "", false},
		{me, "<sip:3.3.3.3>, <sip:b@4.4.4.4>", "", [3]int{1, -1, 1}, "sip:3.3.3.3", "", "Route: <sip:b@4.4.4.4>|Route: <" + me + ">", false},
		{"sip:b@h", "<" + me + ";lr>, <" + also + ";lr>, <sip:5.5.5.5;lr>", ";tag=9", [3]int{1, -1, 1}, "sip:b@h", also + ";lr", "Route: <" + also + ";lr>, <sip:5.5.5.5;lr>", true},
		{"sip:b@h", "<sip:broken", ";tag=9", [3]int{-1, -1, -1}, "sip:b@h", "", "Route: <sip:broken", false},
		{"sip:b@h", "<" + me + ";lr>, sip:c@5.5.5.5", ";tag=9", [3]int{-1, -1, -1}, "sip:b@h", "", "Route: <" + me + ";lr>, sip:c@5.5.5.5", false},
		{"sip:b@h", "<" + me + `;lr>, "x" <sip:c@5.5.5.5;lr>;foo|<sip:6.6.6.6>`, ";tag=9", [3]int{1, -1, 1}, "sip:b@h", "sip:c@5.5.5.5;lr", `Route: "x" <sip:c@5.5.5.5;lr>;foo|Route: <sip:6.6.6.6>`, true},
	} {
		for i, call := range [][]any{{"loose_route"}, {"loose_route_preloaded"}, {"loose_route_mode", 1}} {
			name := call[0].(string)
			r := moduletest.New(t, New())
			r.Message(message(tt.uri, routeLines(tt.routes), tt.to))
			if rc := r.Call(name, call[1:]...); rc != tt.rc[i] {
				t.Errorf("%s %s%s: %s answers %d, want %d", tt.uri, tt.routes, tt.to, name, rc, tt.rc[i])
			}
			checkRouted(t, r, name+" "+tt.uri+" "+tt.routes+tt.to, tt.wantURI, tt.du, tt.left)
			if got := r.Call("rr_next_hop_route") == 1; got != tt.next {
				t.Errorf("%s %s: rr_next_hop_route is %v", tt.uri, tt.routes, got)
			}
		}
	}
}

// TestStrict follows requests that a strict router sent.
func TestStrict(t *testing.T) {
	const me, also = "sip:127.0.0.1", "sip:sipd.test"
	for _, tt := range []struct{ uri, routes, wantURI, du, left string }{
		{me, "<sip:3.3.3.3>, <sip:b@4.4.4.4>", "sip:3.3.3.3", "", "Route: <sip:b@4.4.4.4>"},
		{me, "<sip:b@4.4.4.4>", "sip:b@4.4.4.4", "", ""},
		{"sip:u@127.0.0.1", "<" + me + ";lr;ftag=ft1>", me + ";lr;ftag=ft1", me + ";lr;ftag=ft1", ""},
		{me + ";r2=on;lr", "<" + also + ";r2=on;lr>, <sip:3.3.3.3;lr>, <sip:b@4.4.4.4>", "sip:b@4.4.4.4", "sip:3.3.3.3;lr", "Route: <sip:3.3.3.3;lr>"},
		{me + ";r2=on;lr", "<" + also + ";r2=on;lr>|<sip:3.3.3.3;lr>|<sip:b@4.4.4.4>", "sip:b@4.4.4.4", "sip:3.3.3.3;lr", "Route: <sip:3.3.3.3;lr>"},
		{me + ";r2=on;lr", "<" + also + ";r2=on;lr>, <sip:b@4.4.4.4;lr>", "sip:b@4.4.4.4;lr", "sip:b@4.4.4.4;lr", ""},
	} {
		r := moduletest.New(t, New())
		r.Message(message(tt.uri, routeLines(tt.routes), ";tag=9"))
		if rc := r.Call("loose_route"); rc != 1 {
			t.Errorf("%s %s: code %d", tt.uri, tt.routes, rc)
		}
		checkRouted(t, r, tt.uri+" "+tt.routes, tt.wantURI, tt.du, tt.left)
	}
}

func routeLines(routes string) string {
	if routes == "" {
		return ""
	}
	return "Route: " + strings.ReplaceAll(routes, "|", "\nRoute: ") + "\n"
}

func checkRouted(t *testing.T, r *moduletest.Rig, what, uri, du, left string) {
	t.Helper()
	var routes []string
	for _, l := range strings.Split(r.Printed(), "\r\n") {
		if strings.HasPrefix(l, "Route:") {
			routes = append(routes, l)
		}
	}
	if got := strings.Join(routes, "|"); got != left {
		t.Errorf("%s: left %q, want %q", what, got, left)
	}
	if r.Ctx.RURI() != uri || r.Ctx.Main.DstURI != du {
		t.Errorf("%s: request URI %s, next hop %q; want %s, %q", what, r.Ctx.RURI(), r.Ctx.Main.DstURI, uri, du)
	}
}

// TestDirection also works without loose_route, as in Kamailio.
func TestDirection(t *testing.T) {
	for _, tt := range []struct {
		route, to  string
		up, lr, on bool
	}{
		{"", "", false, false, false},
		{"<sip:127.0.0.1;lr;ftag=ft1>", ";tag=1", false, true, true},
		{"<sip:127.0.0.1;lr;ftag=zz>", ";tag=1", true, true, true},
		{"<sip:3.3.3.3;lr;ftag=zz>", ";tag=1", false, false, false},
		{"<sip:127.0.0.1;lr=on>", ";tag=1", false, true, false},
	} {
		for _, loose := range []bool{true, false} {
			r := moduletest.New(t, New())
			r.Message(message("sip:b@h", routeLines(tt.route), tt.to))
			if loose {
				r.Call("loose_route")
			}
			up, down := r.Call("is_direction", "upstream") == 1, r.Call("is_direction", "downstream") == 1
			if up != tt.up || down == tt.up {
				t.Errorf("%s: up %v, down %v", tt.route, up, down)
			}
			if got := r.Call("check_route_param", "^;lr") == 1; got != tt.lr {
				t.Errorf("%s: ;lr %v", tt.route, got)
			}
			if got := r.Call("check_route_param", "ftag=") == 1; got != tt.on {
				t.Errorf("%s: ftag= %v", tt.route, got)
			}
		}
	}
}

// TestReverse writes the tag of whoever started the dialog.
func TestReverse(t *testing.T) {
	r := moduletest.New(t, New())
	r.Message(message("sip:b@h", "Route: <sip:127.0.0.1;lr;ftag=zz>\n", ";tag=9"))
	r.Call("loose_route")
	r.Call("record_route")
	if got, want := recordRoutes(r, r.Ctx.Recv.Sock), "<sip:127.0.0.1;lr;ftag=9>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFind(t *testing.T) {
	named := *udp2
	named.Name, named.AdvHost, named.AdvPort = "s2", "example.net", 5070
	all := []*transport.Socket{udp1, &named, tcp1}
	for _, tt := range []struct {
		uri  string
		name bool
		want *transport.Socket
	}{
		{"sip:127.0.0.1:25060;lr", false, udp1},
		{"sip:127.0.0.1:25060;transport=TCP;lr", false, tcp1},
		{"sip:127.0.0.2;lr", false, &named},
		{"sip:Example.net:5070", false, &named},
		{"sip:7.7.7.7;sn=s2", true, &named},
		{"sip:7.7.7.7;sn=s2", false, nil},
		{"sips:127.0.0.1:25060", false, nil},
	} {
		u, err := sip.ParseURI(tt.uri)
		if got := find(all, &u, tt.name); err != nil || got != tt.want {
			t.Errorf("%s: %v, %v", tt.uri, got, err)
		}
	}
}

func TestRefused(t *testing.T) {
	r := moduletest.New(t, New()).Param("rr", "append_fromtag", 0).Param("rr", "enable_double_rr", 0)
	for _, call := range [][]any{
		{"record_route", "nat=yes"},
		{"add_rr_param", ";a>\r\nX: y"},
		{"is_direction", "sideways"},
		{"is_direction", "upstream"},
		{"record_route_preset", "a", "b"},
		{"check_route_param", "("},
	} {
		if _, err := r.Compile(call[0].(string), call[1:]...); err == nil {
			t.Errorf("%v compiles", call)
		}
	}
	bad := moduletest.New(t, New()).Param("rr", "custom_user_avp", "$ru")
	if err := bad.TryStart(); err == nil {
		t.Error("custom_user_avp takes $ru")
	}
}

func benchmark(b *testing.B, headers, to string, calls ...string) {
	r := moduletest.New(b, New())
	r.Message(message("sip:b@h", headers, to))
	var run []func()
	for _, name := range calls {
		f, err := r.Compile(name)
		if err != nil {
			b.Fatal(err)
		}
		run = append(run, func() { f(r.Ctx) })
	}
	out := make([]byte, 0, 2048)
	opt := &sip.PrintOptions{Out: r.Ctx.Recv.Sock}
	b.ReportAllocs()
	for b.Loop() {
		r.Ctx.Msg.Edits.Reset()
		clear(r.Ctx.Slots[:])
		r.Ctx.RecordRoute, r.Ctx.Main.DstURI = false, ""
		for _, f := range run {
			f()
		}
		out = r.Ctx.Msg.AppendTo(out[:0], opt, &r.Ctx.Msg.Edits)
	}
}

func BenchmarkRecordRoute(b *testing.B) { benchmark(b, "", "", "record_route") }

func BenchmarkLooseRoute(b *testing.B) {
	benchmark(b, "Route: <sip:127.0.0.1;lr;ftag=ft1>\n", ";tag=9", "loose_route")
}

func BenchmarkPrintOnly(b *testing.B) { benchmark(b, "", "") }

// TestIgnoreUser: an own address with the user that is ignored is somebody
// else's, and the user is not written.
func TestIgnoreUser(t *testing.T) {
	for _, tt := range []struct {
		ignore, route, want string
	}{
		{"", "<sip:gone@127.0.0.1;lr>, <sip:next@h;lr>", "sip:next@h;lr"},
		{"gone", "<sip:else@127.0.0.1;lr>, <sip:next@h;lr>", "sip:next@h;lr"},
		{"gone", "<sip:gone@127.0.0.1;lr>, <sip:next@h;lr>", "sip:gone@127.0.0.1;lr"},
	} {
		m := New()
		r := moduletest.New(t, m)
		if tt.ignore != "" {
			r.Param("rr", "ignore_user", tt.ignore)
		}
		r.Start()
		r.Message(message("sip:b@elsewhere", "Route: "+tt.route+"\n", ";tag=tt"))
		if rc := r.Call("loose_route"); rc != 1 || r.Ctx.Main.DstURI != tt.want {
			t.Errorf("ignore_user %q, Route %s: %d to %s, want 1 to %s", tt.ignore, tt.route, rc, r.Ctx.Main.DstURI, tt.want)
		}
	}
	m := New()
	r := moduletest.New(t, m).Param("rr", "ignore_user", "gone").Param("rr", "add_username", 1)
	r.Start()
	r.Message(message("sip:gone@h", "", ""))
	r.Ctx.Recv.Sock = udp1
	r.Call("record_route")
	if got, want := recordRoutes(r, udp1), "<sip:127.0.0.1:25060;lr;ftag=ft1>"; got != want {
		t.Errorf("Record-Route %s, want %s", got, want)
	}
}
