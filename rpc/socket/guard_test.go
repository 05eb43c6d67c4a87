package socket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/rpc"
)

func hash(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func credentials(t testing.TB, lines ...string) *Guard {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := NewGuard(Files{Credentials: path})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAdmit(t *testing.T) {
	g := credentials(t, "# who may", "monitor read-only token:"+hash("look"), "", "ops full token:"+hash("do"))
	far, near := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.0.0.1")
	for _, tt := range []struct {
		name   string
		origin Origin
		access Access
		most   rpc.Role
		token  string // shown after
		want   rpc.Role
		shown  bool // the token is taken
	}{
		{name: "unix socket", want: rpc.Full},
		{name: "unix socket for reading", most: rpc.ReadOnly, want: rpc.ReadOnly},
		{name: "loopback", origin: Origin{Addr: near}, want: rpc.Full},
		{name: "loopback of IPv6, mapped", origin: Origin{Addr: netip.MustParseAddr("::ffff:127.0.0.1")}, want: rpc.Full},
		{name: "loopback with a token for reading", origin: Origin{Addr: near}, token: "look", shown: true, want: rpc.ReadOnly},
		{name: "far", origin: Origin{Addr: far}, want: rpc.None},
		{name: "far, a token in the clear", origin: Origin{Addr: far}, token: "do", want: rpc.None},
		{name: "far, a token in the clear as configured", origin: Origin{Addr: far}, access: Token, token: "do", shown: true, want: rpc.Full},
		{name: "far, TLS", origin: Origin{Addr: far, TLS: true}, want: rpc.None},
		{name: "far, TLS and token", origin: Origin{Addr: far, TLS: true}, token: "look", shown: true, want: rpc.ReadOnly},
		{name: "far, TLS and token, socket for reading", origin: Origin{Addr: far, TLS: true}, most: rpc.ReadOnly, token: "do", shown: true, want: rpc.ReadOnly},
		{name: "far, TLS and a wrong token", origin: Origin{Addr: far, TLS: true}, token: "guess", want: rpc.None},
		{name: "far, open", origin: Origin{Addr: far}, access: Open, want: rpc.Full},
		{name: "far, open for reading", origin: Origin{Addr: far}, access: Open, most: rpc.ReadOnly, want: rpc.ReadOnly},
	} {
		c := g.Admit(tt.origin, tt.access, tt.most)
		shown := tt.token != "" && c.Login != nil && c.Login(c, tt.token)
		if c.Role != tt.want || shown != tt.shown {
			t.Errorf("%s: role %v, token taken %v; want %v, %v", tt.name, c.Role, shown, tt.want, tt.shown)
		}
	}
}

// TestRolesAtDispatch wants the role to count for every method.
func TestRolesAtDispatch(t *testing.T) {
	reg := rpc.NewRegistry()
	nothing := func(context.Context, *rpc.Call) error { return nil }
	if err := reg.Add(LoginMethod(), &rpc.Method{Name: "look", Handler: nothing}, &rpc.Method{Name: "do", Changes: true, Handler: nothing}); err != nil {
		t.Fatal(err)
	}
	g := credentials(t, "ops full token:"+hash("secret"))
	who := g.Admit(Origin{Peer: "test", Addr: netip.MustParseAddr("192.0.2.1"), TLS: true}, Guarded, rpc.None)
	w := &rpc.Wire{}
	call := func(method string, args ...rpc.Value) int {
		_, f := w.Dispatch(t.Context(), reg, who, method, rpc.Values(args...))
		if f == nil {
			return 0
		}
		return f.Code
	}
	for _, step := range []struct {
		role   rpc.Role
		method string
		arg    string
		want   int
	}{
		{rpc.None, "look", "", 401},
		{rpc.ReadOnly, "look", "", 0},
		{rpc.ReadOnly, "do", "", 403},
		{rpc.Full, "do", "", 0},
		{rpc.None, "ctl.login", "guess", 401},
		{rpc.None, "ctl.login", "secret", 0},
	} {
		who.Role = step.role
		var args []rpc.Value
		if step.arg != "" {
			args = append(args, rpc.String(step.arg))
		}
		if got := call(step.method, args...); got != step.want {
			t.Errorf("%v calls %s %s: fault %d, want %d", step.role, step.method, step.arg, got, step.want)
		}
	}
	if who.Role != rpc.Full || who.Name != "ops" {
		t.Errorf("after the login: %s %v", who.Name, who.Role)
	}
}

func TestBadCredentials(t *testing.T) {
	for text, want := range map[string]string{
		"ops full":                         ":1: want three words",
		"\nops boss token:" + hash("x"):    ":2: ",
		"ops full token:1234":              "SHA-256",
		"ops full password:" + hash("x"):   "neither",
		"ops full cert:" + hash("x") + "0": "SHA-256",
	} {
		path := filepath.Join(t.TempDir(), "c")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewGuard(Files{Credentials: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "c")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o622); err != nil {
		t.Fatal(err)
	}
	if _, err := NewGuard(Files{Credentials: path}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that all may write: %v", err)
	}
	if _, err := NewGuard(Files{Credentials: path + "no"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestAddressOptions(t *testing.T) {
	for in, want := range map[string]Address{
		"tcp:1.2.3.4:5;access=open":             {Net: "tcp", Host: "1.2.3.4", Port: 5, Access: Open},
		"tls:5;role=read-only":                  {Net: "tls", Port: 5, Role: rpc.ReadOnly},
		"unixs:/x;role=full;access=token":       {Net: "unixs", Path: "/x", Role: rpc.Full, Access: Token},
		"unixs:/a;b":                            {Net: "unixs", Path: "/a;b"},
		"udp:h:5;ACCESS=Guarded;role=Read-Only": {Net: "udp", Host: "h", Port: 5, Role: rpc.ReadOnly},
	} {
		got, err := ParseAddress(in)
		if err != nil || got != want {
			t.Errorf("ParseAddress(%q) = %+v, %v; want %+v", in, got, err, want)
		}
		if again, err := ParseAddress(got.String()); err != nil || again != want {
			t.Errorf("printed and read again %+v, %v; want %+v", again, err, want)
		}
	}
	for in, want := range map[string]error{
		"tcp:5;acces=open": ErrOption, "tcp:5;access=all": ErrAccess, "unixs:/x;role=boss": rpc.ErrRole, "tcp:5;": ErrOption,
	} {
		if _, err := ParseAddress(in); !errors.Is(err, want) {
			t.Errorf("ParseAddress(%q) = %v, want %v", in, err, want)
		}
	}
}
