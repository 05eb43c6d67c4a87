package siputils

import (
	"strings"
	"testing"

	"sipd/router/module/moduletest"
	"sipd/router/sip"
)

func message(uri, headers string) string {
	return "INVITE " + uri + " SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nFrom: <sip:a@x>;tag=ft1\nTo: <sip:b@x>\nCall-ID: c\nCSeq: 1 INVITE\n" + headers + "\n"
}

// TestCodes has the codes of Kamailio 5.6.3.
func TestCodes(t *testing.T) {
	const dated = "Date: Thu, 01 Jan 2015 00:00:00 GMT\nSupported: path, timer\n"
	for _, tt := range []struct {
		call []any
		want int
	}{
		{[]any{"has_totag"}, -1},
		{[]any{"is_request"}, 1},
		{[]any{"is_reply"}, -1},
		{[]any{"is_first_hop"}, 1},
		{[]any{"is_user", "a"}, -1},
		{[]any{"is_gruu"}, 1},
		{[]any{"is_gruu", "sip:a@b;gr"}, 2},
		{[]any{"is_gruu", "sip:a@b"}, -1},
		{[]any{"uri_param", "p"}, -1},
		{[]any{"uri_param", "n"}, 1},
		{[]any{"uri_param", "p", "v"}, 1},
		{[]any{"uri_param", "p", "V"}, -1},
		{[]any{"uri_param", "P", "v"}, -1},
		{[]any{"uri_param_any", "p"}, 1},
		{[]any{"uri_param_any", "z"}, -1},
		{[]any{"is_e164", "+1234"}, 1},
		{[]any{"is_e164", "+12"}, 1},
		{[]any{"is_e164", "+1"}, -1},
		{[]any{"is_e164", "+123456789012345"}, 1},
		{[]any{"is_e164", "+1234567890123456"}, -1},
		{[]any{"is_e164", "1234"}, -1},
		{[]any{"is_uri_user_e164", "sip:+1234@x"}, 1},
		{[]any{"is_tel_number", "+12"}, 1},
		{[]any{"is_tel_number", "+"}, -2},
		{[]any{"is_tel_number", "1a"}, -2},
		{[]any{"is_numeric", "11"}, 1},
		{[]any{"is_numeric", "1a"}, -2},
		{[]any{"is_numeric", ""}, -2},
		{[]any{"is_alphanum", "aZ9"}, 1},
		{[]any{"is_alphanum", "a-1"}, -3},
		{[]any{"is_alphanumex", "a-1", "-"}, 1},
		{[]any{"cmp_uri", "sip:a@B.com", "sip:a@b.com"}, 1},
		{[]any{"cmp_uri", "sip:A@b.com", "sip:a@b.com"}, -1},
		{[]any{"cmp_aor", "sip:a@b.com;x=y", "sip:a@b.com:5060"}, 1},
		{[]any{"cmp_hdr_name", "f", "From"}, 1},
		{[]any{"cmp_hdr_name", "X-a", "x-A"}, 1},
		{[]any{"cmp_hdr_name", "X-a", "x-b"}, -2},
		{[]any{"is_supported", "path"}, 1},
		{[]any{"is_supported", "gruu"}, -1},
		{[]any{"is_uri", "sip:a@b"}, 1},
		{[]any{"is_uri", "foo"}, -1},
		{[]any{"hdr_date_check", 10}, -4},
		{[]any{"hdr_date_check", 2000000000}, 1},
	} {
		r := moduletest.New(t, New())
		r.Message(message("sip:u:pw@h:5060;n;p=v;gr=1", dated))
		if got := r.Call(tt.call[0].(string), tt.call[1:]...); got != tt.want {
			t.Errorf("%v answers %d, want %d", tt.call, got, tt.want)
		}
	}
}

func TestRequestURI(t *testing.T) {
	r := moduletest.New(t, New())
	r.Message(message("sip:u:pw@h:5060;n;p=v;gr=1", ""))
	for _, tt := range []struct {
		name, want string
		rc         int
	}{{"p", "v", 1}, {"n", "", 1}, {"z", "", -1}} {
		if rc := r.Call("get_uri_param", tt.name, "$var(x)"); rc != tt.rc || r.Var("$var(x)").Text() != tt.want {
			t.Errorf("get_uri_param %s: %d, %q", tt.name, rc, r.Var("$var(x)").Text())
		}
	}
	if r.Call("uri_param_rm", "n"); r.Ctx.RURI() != "sip:u:pw@h:5060;p=v;gr=1" {
		t.Errorf("removed: %s", r.Ctx.RURI())
	}
	if rc := r.Call("uri_param_rm", "z"); rc != 1 {
		t.Errorf("removed what is not there: %d", rc)
	}
	r.Call("add_uri_param", "q=1")
	if r.Call("add_uri_param", "lr"); r.Ctx.RURI() != "sip:u:pw@h:5060;p=v;gr=1;q=1;lr" {
		t.Errorf("added: %s", r.Ctx.RURI())
	}
	r.SetVar("$var(u)", "sip:u:pw@h;x=y")
	r.Call("set_uri_user", "$var(u)", "new")
	if r.Call("set_uri_host", "$var(u)", "hh:5070"); r.Var("$var(u)").Text() != "sip:new@hh:5070;x=y" {
		t.Errorf("set: %s", r.Var("$var(u)").Text())
	}
	if rc := r.Call("tel2sip", "tel:+(34)-999.888-777;Ext=200;ISUB=A", "h.com", "$var(x)"); rc != 1 || r.Var("$var(x)").Text() != "sip:+34999888777;ext=200;isub=a@h.com;user=phone" {
		t.Errorf("tel2sip: %d %s", rc, r.Var("$var(x)").Text())
	}
	if rc := r.Call("tel2sip", "sip:a@b", "h.com", "$var(x)"); rc != 2 {
		t.Errorf("tel2sip of a sip URI: %d", rc)
	}
	if rc := r.Call("tel2sip", "tel:", "h.com", "$var(x)"); rc != -1 {
		t.Errorf("tel2sip of nothing: %d", rc)
	}
}

// TestContacts has what Kamailio 5.6.3 wrote.
func TestContacts(t *testing.T) {
	enc := []any{"encode_contact", "pre", "9.9.9.9"}
	penc := []any{"contact_param_encode", "ksu", "sip:1.2.3.4:5060;transport=tcp"}
	for _, tt := range []struct {
		call     []any
		in, want string
		rc       int
	}{
		{enc, "<sip:user:pw@10.0.0.1:5062;transport=tcp;x=y>;q=0.5", "<sip:pre*user*pw*10.0.0.1*5062*tcp@9.9.9.9>;q=0.5", 1},
		{enc, "<sip:10.0.0.1>", "<sip:pre***10.0.0.1**@9.9.9.9>", 1},
		{enc, "sip:user@10.0.0.1;x=1", "sip:pre*user**10.0.0.1**@9.9.9.9;x=1", 1},
		{enc, `"N" <sip:a@1.1.1.1>, <sip:b@2.2.2.2;transport=UDP>`, `"N" <sip:pre*a**1.1.1.1**@9.9.9.9>, <sip:pre*b**2.2.2.2**UDP@9.9.9.9>`, 1},
		{enc, "*", "*", 1},
		{[]any{"decode_contact_header"}, "<sip:pre*user*pw*10.0.0.1*5062*tcp@9.9.9.9>", "<sip:user:pw@10.0.0.1:5062;transport=tcp>", 1},
		{[]any{"decode_contact_header"}, "<sip:pre*user**10.0.0.1**@9.9.9.9>", "<sip:user@10.0.0.1>", 1},
		{[]any{"decode_contact_header"}, "<sip:user@10.0.0.1>", "<sip:user@10.0.0.1>", -1},
		{penc, "<sip:10.0.0.1>", "<sip:1.2.3.4:5060;transport=tcp;ksu=c2lwOjEwLjAuMC4x>", 1},
		{penc, "sip:user@10.0.0.1;x=1", "<sip:1.2.3.4:5060;transport=tcp;ksu=c2lwOnVzZXJAMTAuMC4wLjE>;x=1", 1},
		{[]any{"contact_param_decode", "ksu"}, "<sip:1.2.3.4;ksu=c2lwOnVzZXJAMTAuMC4wLjE7eD0x>;q=1", "<sip:user@10.0.0.1;x=1>;q=1", 1},
		{[]any{"contact_param_decode", "ksu"}, "<sip:1.2.3.4;ksu=!>", "<sip:1.2.3.4;ksu=!>", -1},
		{[]any{"contact_param_rm", "x"}, "<sip:a@h;transport=tcp;x=y>;q=0.5", "<sip:a@h;transport=tcp>;q=0.5", 1},
		{[]any{"contact_param_rm", "x"}, "sip:a@h;x=1", "sip:a@h;x=1", 1},
	} {
		r := moduletest.New(t, New())
		r.Message(message("sip:b@h", "Contact: "+tt.in+"\n"))
		if rc := r.Call(tt.call[0].(string), tt.call[1:]...); rc != tt.rc {
			t.Errorf("%v of %s answers %d", tt.call, tt.in, rc)
		}
		if got := r.Printed(); !strings.Contains(got, "Contact: "+tt.want+"\r\n") {
			t.Errorf("%v of %s: want %s in\n%s", tt.call, tt.in, tt.want, got)
		}
	}
	r := moduletest.New(t, New())
	r.Message(message("sip:pre*user*pw*10.0.0.1*5062*tcp@9.9.9.9;q=1;lr", ""))
	if rc := r.Call("decode_contact"); rc != 1 || r.Ctx.RURI() != "sip:user:pw@10.0.0.1:5062;transport=tcp;q=1;lr" {
		t.Errorf("decode_contact: %d %s", rc, r.Ctx.RURI())
	}
	r.Message(message("sip:1.2.3.4;ksu=c2lwOnVzZXJAMTAuMC4wLjE7eD0x;q=1", ""))
	if rc := r.Call("contact_param_decode_ruri", "ksu"); rc != 1 || r.Ctx.RURI() != "sip:user@10.0.0.1;x=1" {
		t.Errorf("contact_param_decode_ruri: %d %s", rc, r.Ctx.RURI())
	}
}

func TestHeaders(t *testing.T) {
	r := moduletest.New(t, New())
	r.Message(message("sip:b@h", `P-Charging-Vector: icid-value="abc";icid-generated-at=1.2.3.4;orig-ioi=home1.net`+"\n"))
	if rc := r.Call("append_rpid_hf"); rc != -1 {
		t.Errorf("no attribute: %d", rc)
	}
	r.SetVar("$avp(s:rpid)", "sip:+1234@h")
	r.Call("append_rpid_hf")
	r.Call("append_rpid_hf", "<", ">x")
	if want := "Remote-Party-ID: sip:+1234@h;party=calling;id-type=subscriber;screen=yes\r\nRemote-Party-ID: <sip:+1234@h>x\r\n"; !strings.Contains(r.Printed(), want) {
		t.Errorf("want %q in\n%s", want, r.Printed())
	}
	if rc := r.Call("is_rpid_user_e164"); rc != 1 {
		t.Errorf("is_rpid_user_e164: %d", rc)
	}
	if got := r.Var("$pcv(value)").Text() + r.Var("$pcv(genaddr)").Text() + r.Var("$pcv(orig)").Text(); got != `"abc"1.2.3.4home1.net` || !r.Var("$pcv(term)").IsNull() {
		t.Errorf("$pcv: %s", got)
	}
	if r.Call("sip_p_charging_vector", "g"); strings.Count(r.Printed(), "P-Charging-Vector:") != 1 {
		t.Errorf("added to the one that is there:\n%s", r.Printed())
	}
	if r.Call("sip_p_charging_vector", "f"); strings.Contains(r.Printed(), "abc") || !strings.Contains(r.Printed(), ";icid-generated-at=127.0.0.1\r\n") {
		t.Errorf("not replaced:\n%s", r.Printed())
	}
}

func TestOptionsReply(t *testing.T) {
	r := moduletest.New(t, New())
	r.Message(strings.ReplaceAll(message("sip:h", ""), "INVITE", "OPTIONS"))
	if rc := r.Call("options_reply"); rc != 1 || len(r.Replies) != 1 || r.Replies[0].Extra != "Accept: */*\r\nAccept-Encoding: \r\nAccept-Language: en\r\nSupported: \r\n" {
		t.Errorf("code %d, %+v", rc, r.Replies)
	}
	for _, m := range []string{message("sip:h", ""), strings.ReplaceAll(message("sip:u@h", ""), "INVITE", "OPTIONS")} {
		r.Message(m)
		if rc := r.Call("options_reply"); rc != -1 || len(r.Replies) != 1 {
			t.Errorf("code %d, %+v for\n%s", rc, r.Replies, m)
		}
	}
}

func TestRefused(t *testing.T) {
	r := moduletest.New(t, New())
	for _, call := range [][]any{{"is_supported", "magic"}, {"sip_p_charging_vector", "x"}, {"get_uri_param", "a", "b"}} {
		if _, err := r.Compile(call[0].(string), call[1:]...); err == nil {
			t.Errorf("%v compiles", call)
		}
	}
	for _, p := range [][2]string{{"contact_flds_separator", ""}, {"rpid_avp", "rpid"}} {
		if err := moduletest.New(t, New()).Param("siputils", p[0], p[1]).TryStart(); err == nil {
			t.Errorf("%s = %q passes", p[0], p[1])
		}
	}
}

// FuzzDecode: what is decoded is a URI and cannot break the message.
func FuzzDecode(f *testing.F) {
	f.Add("sip:pre*user*pw*10.0.0.1*5062*tcp@9.9.9.9;q=1")
	f.Add("sip:1.2.3.4;ksu=c2lwOnVzZXJAMTAuMC4wLjE7eD0x")
	f.Fuzz(func(t *testing.T, uri string) {
		if d, ok := decode(uri, "*"); ok && !isURI(d) {
			t.Errorf("%q becomes %q", uri, d)
		}
		if d, ok := paramDecode(uri, "ksu"); ok && d != uri && strings.ContainsAny(d, "<>\r\n") {
			t.Errorf("%q becomes %q", uri, d)
		}
		tel2sip(uri, "h")
		if e, ok := encode(uri, "p", "h", "*"); ok {
			if _, err := sip.ParseURI(e); err != nil && !strings.ContainsAny(uri, "%") {
				t.Skip() // a part that holds characters a user may not
			}
		}
	})
}

func BenchmarkHasToTag(b *testing.B) {
	r := moduletest.New(b, New())
	c := r.Message(moduletest.Invite)
	f, err := r.Compile("has_totag")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f(c)
	}
}
