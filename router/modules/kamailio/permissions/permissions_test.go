package permissions_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/kamailio/permissions"
	"sipd/router/run"
	"sipd/rpc"
	"sipd/rpc/rpctest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var rows = []string{
	"INSERT INTO address (grp, ip_addr, mask, port, tag) VALUES (1, '127.0.0.1', 32, 0, 'local'), (2, '192.0.2.7', 0, 0, NULL), " +
		"(1, '10.1.0.0', 16, 5060, 'net'), (3, '10.1.2.0', 24, 0, 'small'), (2, 'trusted.test', 0, 0, 'dom'), (4, '2001:db8::1', 128, 0, 'six')",
	"INSERT INTO trusted (src_ip, proto, from_pattern, ruri_pattern, tag, priority) VALUES ('127.0.0.1', 'any', '^sip:.*', NULL, 'tt', 0)",
}

var more = append(rows[:2:2], "INSERT INTO trusted (src_ip, proto, from_pattern, ruri_pattern, tag, priority) VALUES "+
	"('192.0.2.1', 'udp', '^sip:alice@', NULL, 'low', 1), ('192.0.2.1', 'any', NULL, 'example[.]com$', 'high', 9), ('192.0.2.2', 'none', NULL, NULL, NULL, 0), "+
	"('192.0.2.3', 'tcp', NULL, NULL, NULL, 0), ('192.0.2.4', 'any', 'd[a-c]ve@', NULL, NULL, 0)")

func rig(t testing.TB, url string) *moduletest.Rig {
	return moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), permissions.New()).
		Param("permissions", "db_url", url).Param("permissions", "peer_tag_avp", "$avp(tag)").Param("permissions", "reload_delta", 0)
}

func from(c *run.Context, src string) { c.Recv.Src = netip.MustParseAddrPort(src) }

func TestAddresses(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, _ *db.DB) {
		for _, tt := range []struct {
			src        string
			group      int
			want       int
			any        int
			tag        string
			mode, any1 int
		}{
			{"127.0.0.1:5060", 1, 1, 1, "local", 0, 1},
			{"127.0.0.1:5060", 2, -1, 1, "", 0, 1},
			{"192.0.2.7:9", 2, 1, 2, "", 0, 2},
			{"10.1.2.3:5060", 1, 1, 1, "net", 0, 3},
			{"10.1.2.3:5061", 1, -1, 3, "", 0, 3},
			{"10.1.2.3:5061", 3, 1, 3, "small", 0, 3},
			{"[2001:db8::1]:5060", 4, 1, 4, "six", 0, 4},
			{"[2001:db8::2]:5060", 4, -1, -1, "", 0, -1},
		} {
			r := rig(t, url)
			from(r.Message(moduletest.Invite), tt.src)
			if rc := r.Call("allow_source_address", tt.group); rc != tt.want || r.Var("$avp(tag)").Text() != tt.tag {
				t.Errorf("%s in %d: %d, tag %q; want %d, %q", tt.src, tt.group, rc, r.Var("$avp(tag)").Text(), tt.want, tt.tag)
			}
			if rc := r.Call("allow_source_address_group"); rc != tt.any {
				t.Errorf("group of %s: %d, want %d", tt.src, rc, tt.any)
			}
			r = rig(t, url).Param("permissions", "subnet_match_mode", 1)
			from(r.Message(moduletest.Invite), tt.src)
			if rc := r.Call("allow_source_address_group"); rc != tt.any1 {
				t.Errorf("smallest network of %s: %d, want %d", tt.src, rc, tt.any1)
			}
		}
		r := rig(t, url)
		from(r.Message(moduletest.Invite), "127.0.0.1:1")
		for _, tt := range []struct {
			group int
			host  string
			port  int
			want  int
		}{
			{2, "Trusted.test", 5060, 1}, {1, "trusted.test", 5060, -1}, {1, "10.1.9.9", 5060, 1}, {4, "[2001:db8::1]", 1, 1}, {1, "", 0, -1},
		} {
			if rc := r.Call("allow_address", tt.group, tt.host, tt.port); rc != tt.want {
				t.Errorf("%+v: %d", tt, rc)
			}
		}
		if rc := r.Call("allow_address_group", "trusted.test", "5060"); rc != 2 {
			t.Errorf("allow_address_group = %d", rc)
		}
		if rc := r.Call("allow_source_address"); rc != 1 {
			t.Errorf("group 1 is the default: %d", rc)
		}
	}, rows...)
}

func TestTrusted(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, _ *db.DB) {
		for mode := range 2 {
			for _, tt := range []struct {
				src, ip, proto, uri string
				all, want           int
				tag                 string
			}{
				{src: "192.0.2.1:5060", want: 1, tag: "high"},
				{src: "192.0.2.1:5060", all: 1, want: 2, tag: "low"},
				{src: "192.0.2.2:5060", want: -1},
				{src: "192.0.2.3:5060", want: -1},
				{src: "1.1.1.1:1", ip: "192.0.2.3", proto: "TCP", want: 1},
				{src: "1.1.1.1:1", ip: "192.0.2.3", proto: "any", want: 1},
				{src: "1.1.1.1:1", ip: "192.0.2.3", proto: "udp", want: -1},
				{src: "1.1.1.1:1", ip: "192.0.2.3", proto: "x", want: -1},
				{src: "1.1.1.1:1", ip: "192.0.2.4", proto: "udp", uri: "sip:dave@x", want: 1},
				{src: "1.1.1.1:1", ip: "192.0.2.4", proto: "udp", uri: "sip:eve@x", want: -1},
			} {
				r := rig(t, url).Param("permissions", "db_mode", mode).Param("permissions", "peer_tag_mode", tt.all)
				from(r.Message(moduletest.Invite), tt.src)
				var args []any
				if tt.ip != "" {
					args = append(args, tt.ip, tt.proto)
				}
				if tt.uri != "" {
					args = append(args, tt.uri)
				}
				if rc := r.Call("allow_trusted", args...); rc != tt.want || tt.tag != "" && r.Var("$avp(tag)").Text() != tt.tag {
					t.Errorf("db_mode %d: %+v: %d, tag %q; log %s", mode, tt, rc, r.Var("$avp(tag)").Text(), r.Log())
				}
			}
		}
	}, more...)
}

// number is what hash tables of the elder number: not to be compared.
func shown(vals []rpc.Value) string {
	var b strings.Builder
	skip := false
	for line := range strings.Lines(rpctest.Show(vals)) {
		if skip {
			skip = false
			continue
		}
		skip = strings.Contains(line, "avp 'table'")
		if !skip {
			b.WriteString(line)
		}
	}
	return strings.TrimSpace(b.String())
}

// TestDumps compares with what a Kamailio answered.
func TestDumps(t *testing.T) {
	url, d := moduletest.Tables(t, db.SQLite, rows...)
	moduletest.Exec(t, d, "DELETE FROM address WHERE grp > 2")
	r := rig(t, url).Param("permissions", "db_mode", 1).Start()
	for method, want := range map[string]string{
		"permissions.addressDump": "struct {\n  avp 'group'\n  int 1\n  avp 'item'\n  struct {\n    avp 'ip'\n    str '127.0.0.1'\n    avp 'port'\n    int 0\n    avp 'tag'\n    str 'local'\n  struct }\nstruct }\n" +
			"struct {\n  avp 'group'\n  int 2\n  avp 'item'\n  struct {\n    avp 'ip'\n    str '192.0.2.7'\n    avp 'port'\n    int 0\n    avp 'tag'\n    str 'NULL'\n  struct }\nstruct }",
		"permissions.subnetDump":  "struct {\n  avp 'id'\n  int 0\n  avp 'group'\n  int 1\n  avp 'item'\n  struct {\n    avp 'ip'\n    str '10.1.0.0'\n    avp 'mask'\n    int 16\n    avp 'port'\n    int 5060\n    avp 'tag'\n    str 'net'\n  struct }\nstruct }",
		"permissions.domainDump":  "struct {\n  avp 'group'\n  int 2\n  avp 'item'\n  struct {\n    avp 'domain_name'\n    str 'trusted.test'\n    avp 'port'\n    int 0\n    avp 'tag'\n    str 'dom'\n  struct }\nstruct }",
		"permissions.trustedDump": "struct {\n  avp 'item'\n  struct {\n    avp 'ip'\n    str '127.0.0.1'\n    avp 'proto'\n    int 0\n    avp 'pattern'\n    str '^sip:.*'\n    avp 'ruri_pattern'\n    str 'NULL'\n    avp 'tag'\n    str 'tt'\n    avp 'priority'\n    int 0\n  struct }\nstruct }",
	} {
		got, err := r.RPCCall(method)
		if err != nil || shown(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", method, err, shown(got), want)
		}
	}
}

func TestReload(t *testing.T) {
	url, d := moduletest.Tables(t, db.SQLite, rows...)
	r := rig(t, url).Param("permissions", "reload_delta", 5)
	from(r.Message(moduletest.Invite), "203.0.113.1:1")
	moduletest.Exec(t, d, "INSERT INTO address (grp, ip_addr, mask, port) VALUES (1, '203.0.113.1', 32, 0)")
	if rc := r.Call("allow_source_address"); rc != -1 {
		t.Errorf("before: %d", rc)
	}
	got, err := r.RPCCall("permissions.addressReload")
	if err != nil || len(got) != 1 || got[0] != rpc.Value(rpc.Text("Reload OK")) {
		t.Errorf("%v %v", got, err)
	}
	if rc := r.Call("allow_source_address"); rc != 1 {
		t.Errorf("after: %d", rc)
	}
	if _, err := r.RPCCall("permissions.addressReload"); err == nil || err.Error() != "500 ongoing reload" {
		t.Errorf("at once again: %v", err)
	}
	if _, err := r.RPCCall("permissions.trustedReload"); err == nil || err.Error() != "500 Reload skipped (disabled cache)" {
		t.Errorf("without cache: %v", err)
	}
	r = rig(t, url)
	from(r.Message(moduletest.Invite), "203.0.113.1:1")
	moduletest.Exec(t, d, "UPDATE address SET mask = 99")
	if _, err := r.RPCCall("permissions.addressReload"); err == nil || err.Error() != "500 Reload failed." {
		t.Errorf("broken rows: %v", err)
	}
	if rc := r.Call("allow_source_address"); rc != 1 || !strings.Contains(r.Log(), "a mask is 0 to 32, not 99") {
		t.Errorf("after a broken reload: %d, log %s", rc, r.Log())
	}
}

func write(t testing.TB, r *moduletest.Rig, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(r.Host.ConfigPath), name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const allow = `# comment
ALL : "^sip:361[0-9]*@abc\.com$" EXCEPT "^sip:361[0-9]*3@abc\.com$", "^sip:361[0-9]*4@abc\.com$"  # more

"^sip:alice@" , "^sip:BOB@" : "^sip:1@x"
`

func TestFiles(t *testing.T) {
	r := moduletest.New(t, permissions.New())
	write(t, r, "permissions.allow", allow)
	write(t, r, "permissions.deny", "ALL : ALL\n")
	write(t, r, "reg.deny", `ALL : "@10\.0\.0\.1$"`+"\n")
	write(t, r, "port.deny", `ALL : "@10\.0\.0\.1:5070$"`+"\n")
	invite := func(uri string) *run.Context {
		return r.Message(strings.Replace(moduletest.Invite, "sip:bob@example.com SIP", uri+" SIP", 1))
	}
	for uri, want := range map[string]int{
		"sip:3615@abc.com": 1, "sip:3613@ABC.com:5060;x": -1, "sip:36144@abc.com": -1, "sip:1@x": 1, "sip:2@x": -1,
	} {
		invite(uri)
		if rc := r.Call("allow_routing"); rc != want {
			t.Errorf("allow_routing %s = %d, want %d", uri, rc, want)
		}
		r.SetVar("$var(u)", uri)
		if rc := r.Call("allow_uri", "permissions", "$var(u)"); rc != want && uri != "sip:3613@ABC.com:5060;x" {
			t.Errorf("allow_uri %s = %d, want %d", uri, rc, want)
		}
	}
	c := invite("sip:1@x")
	c.AddBranch(run.Branch{URI: "sip:2@x"})
	if rc := r.Call("allow_routing", "permissions.allow", "permissions.deny"); rc != -1 {
		t.Errorf("a denied branch: %d", rc)
	}
	if rc := r.Call("allow_routing", "nothing"); rc != 1 {
		t.Errorf("no files: %d", rc)
	}
	register := strings.ReplaceAll(moduletest.Invite, "INVITE", "REGISTER")
	for contact, want := range map[string][2]int{
		"<sip:a@10.0.0.2>": {1, 1}, "<sip:a@10.0.0.1:5070>": {-1, -1}, "<sip:a@10.0.0.1>": {-1, 1}, "<sip:a@10.0.0.3>, <sip:b@10.0.0.1:5070>": {-1, -1}, "*": {1, 1},
	} {
		r.Message(strings.Replace(register, "<sip:alice@192.0.2.1:5060>", contact, 1))
		if rc := r.Call("allow_register", "reg"); rc != want[0] {
			t.Errorf("allow_register %s = %d, want %d", contact, rc, want[0])
		}
		if rc := r.Call("allow_register_include_port", "port"); rc != want[1] {
			t.Errorf("allow_register_include_port %s = %d, want %d", contact, rc, want[1])
		}
	}
	got, err := r.RPCCall("permissions.testUri", rpc.String("reg"), rpc.String("sip:x@y"), rpc.String("sip:a@10.0.0.1:99"))
	if err != nil || len(got) != 1 || got[0] != rpc.Value(rpc.Text("Denied")) {
		t.Errorf("testUri: %v %v", got, err)
	}
	if _, err := r.RPCCall("permissions.testUri", rpc.String("../reg"), rpc.String("sip:x@y"), rpc.String("sip:a@b")); err == nil {
		t.Error("testUri reads outside of its folder")
	}
}

func TestRefusals(t *testing.T) {
	for text, want := range map[string]string{
		"ALL ALL\n":              "line 1: want FROM",
		"ALL : \"(\"\n":          "line 1",
		"\n\"a\", : ALL\n":       "line 2: an expression is missing",
		"\"a : ALL\n":            "line 1: want FROM",
		strings.Repeat("x", 501): "longer than 500",
	} {
		r := moduletest.New(t, permissions.New())
		write(t, r, "permissions.deny", text)
		if err := r.TryStart(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"x 1.1.1.1":          "line 1: want a number",
		"1":                  "line 1: want GROUP",
		"1 1.1.1.1 33":       "a mask is 0 to 32, not 33",
		"0 1.1.1.1":          "a group is 1 or more",
		"1 1.1.1.1 32 70000": "port 70000",
	} {
		r := moduletest.New(t, permissions.New()).Param("permissions", "address_file", "list")
		write(t, r, "list", text)
		if err := r.TryStart(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	r := moduletest.New(t, permissions.New()).Param("permissions", "address_file", "list")
	write(t, r, "list", "1 127.0.0.1 32 0 tag1\n3 [1:5ee::900d:c0de] # six\n")
	from(r.Message(moduletest.Invite), "[1:5ee::900d:c0de]:1")
	if rc := r.Call("allow_source_address", 3); rc != 1 {
		t.Errorf("from a file: %d", rc)
	}
	r = moduletest.New(t, permissions.New())
	for _, fn := range []string{"allow_source_address", "allow_trusted"} {
		if _, err := r.Compile(fn); err == nil || !strings.Contains(err.Error(), "db_url") {
			t.Errorf("%s without database: %v", fn, err)
		}
	}
}
