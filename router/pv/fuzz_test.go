package pv_test

import (
	"net/netip"
	"testing"

	"sipd/router/cfg"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

const invite = "INVITE sip:bob@example.com:5070;transport=tcp SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport\r\n" +
	"Via: SIP/2.0/TCP a.example.com, SIP/2.0/TLS b.example.com\r\n" +
	"From: \"Alice\" <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n" +
	"Call-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>;expires=60\r\n" +
	"X-A: a=1;b=\"two\"\r\nContent-Length: 4\r\n\r\nbody"

// registry is one with all that module pv brings.
func registry(tb testing.TB) *pv.Registry {
	r := pv.NewRegistry()
	for _, d := range pv.CoreVars() {
		if err := r.AddVar(d); err != nil {
			tb.Fatal(err)
		}
	}
	for _, d := range pv.CoreTrans() {
		if err := r.AddTrans(d); err != nil {
			tb.Fatal(err)
		}
	}
	return r
}

func context(tb testing.TB) *run.Context {
	m, err := sip.Parse(invite)
	if err != nil {
		tb.Fatal(err)
	}
	store := cfg.NewStore()
	c := new(run.Context)
	c.Reset(&run.Env{Cfg: store, Vars: run.NewVars(), MaxBranches: 12})
	c.Msg, c.Cfg = m, store.Snapshot()
	c.Recv = transport.Received{Proto: transport.UDP, Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060")}
	return c
}

// FuzzFormat: what compiles can be evaluated, twice with one result where no
// clock or counter is asked, and a mistake is told at an octet of the text.
func FuzzFormat(f *testing.F) {
	for _, s := range []string{
		"$ru $(ru{uri.user}{s.toupper}) $$", "$(hdr(X-A)[-1]{param.value,b})", "$avp(x) $(avp(x)[*]) $xavp(a=>b[0])",
		"$(var(s){s.substr,-3,$var(n)}) $(var(s){s.select,1,,}) $(var(s){s.stripto,@})", "$sel(via[1].host) $via0(host) $viaZ(port)",
		"$(rb{line.at,-1}) $(fu{nameaddr.uri}) $(ct{tobody.user})", "$(du{s.int}) $msg(hdrs) $expires(max) $mbu", "$branch(uri) $ds $sbranch(q)",
		"$(ru{s.fmtlines,3,1}) $(ru{s.prefixes}) $(ru{s.corehash,16}) $timef(%Y)", "$hfl(Via) $(hfl(Via)[2]) $cnt($avp(x)) $_s(a $rm b)", "$(ru{urialias.encode}) $K(UDP) $af(name) $nh(P)",
	} {
		f.Add(s)
	}
	r, c := registry(f), context(f)
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 4096 {
			return // longer than a line of a configuration
		}
		format, err := r.ParseFormat(s, pv.Kamailio)
		if err != nil {
			if e, ok := err.(*pv.Error); ok && (e.Off < 0 || e.Off > len(s)) {
				t.Errorf("%q: the mistake %q is told at octet %d", s, e.Msg, e.Off)
			}
			return
		}
		if got := format.Eval(c); string(format.AppendTo(nil, c)) == "" && got != "" {
			t.Errorf("%q: Eval answers %q, AppendTo nothing", s, got)
		}
	})
}

// FuzzSelect: what compiles can be evaluated.
func FuzzSelect(f *testing.F) {
	for _, s := range []string{"from.uri.host", "via[-1].branch", `msg.header["X-A"].params.b`, "ruri.params.transport", "contact.uri.user", "cfg_get.core.debug", "sys.now", "branch.uri[0]"} {
		f.Add(s)
	}
	r, c := registry(f), context(f)
	f.Fuzz(func(t *testing.T, s string) {
		if get, err := r.CompileSelect(s); err == nil {
			_ = get(c).Text()
		}
	})
}
