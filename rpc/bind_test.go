package rpc

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// broken are Args whose next parameter cannot be read.
type broken struct{ err error }

func (b broken) Next() (Value, error) { return nil, b.err }

// then is values followed by something else.
type then struct {
	first []Value
	rest  Args
}

func (s *then) Next() (Value, error) {
	if len(s.first) == 0 {
		return s.rest.Next()
	}
	v := s.first[0]
	s.first = s.first[1:]
	return v, nil
}

// echo answers its parameters; silent answers nothing.
func echo(_ context.Context, c *Call) error { c.Add(c.args...); return nil }

func silent(context.Context, *Call) error { return nil }

func registryOf(t *testing.T, m *Method) *Registry {
	t.Helper()
	r := NewRegistry()
	if err := r.Add(m); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBindBinRPC(t *testing.T) {
	param := func(t Type) Param { return Param{Type: t} }
	opt := func(t Type) Param { return Param{Type: t, Optional: true} }
	conv := func(t Type) Param { return Param{Type: t, Convert: true} }
	for _, tt := range []struct {
		name   string
		params []Param
		args   Args
		want   []Value
		fault  string
	}{
		{"nothing wanted, much given", nil, Values(Int(1), String("x")), nil, ""},
		{"what follows is never looked at", []Param{param(TInt)}, &then{[]Value{Int(1)}, broken{ErrRecord}}, []Value{Int(1)}, ""},
		{"missing", []Param{param(TString), param(TInt)}, Values(String("a")), nil, "error at parameter 1: expected integer type but end of packet encountered"},
		{"missing optional", []Param{param(TString), opt(TInt)}, Values(String("a")), []Value{String("a")}, ""},
		{"cut", []Param{param(TString)}, broken{ErrMore}, nil, "error at parameter 0: expected string type but more data needed"},
		{"cut optional", []Param{opt(TString)}, broken{ErrMore}, nil, ""},
		{"not a record", []Param{param(TDouble)}, broken{ErrRecord}, nil, "error at parameter 0: expected float type but bad record"},
		{"text for a number", []Param{param(TInt)}, Values(String("5")), nil, "error at parameter 0: expected integer type but record doesn't match type"},
		{"number for a text", []Param{param(TString)}, Values(Int(5)), nil, "error at parameter 0: expected string type but record doesn't match type"},
		{"struct wanted", []Param{param(TStruct)}, Values(Int(5)), nil, "error at parameter 0: expected structure type but record doesn't match type"},
		{"any missing", []Param{param(TAny)}, Values(), nil, "error at parameter 0: expected any type but end of packet encountered"},
		{"any", []Param{param(TAny)}, Values(Double(1.5)), []Value{Double(1.5)}, ""},
		{"int for a double", []Param{param(TDouble)}, Values(Int(1)), []Value{Double(1)}, ""},
		{"bool", []Param{param(TBool)}, Values(Int(7)), []Value{Bool(true)}, ""},
		{"time", []Param{param(TTime)}, Values(Int(7)), []Value{Time(7)}, ""},
		{"converted number", []Param{conv(TString)}, Values(Int(-5)), []Value{String("-5")}, ""},
		{"converted text", []Param{conv(TInt)}, Values(String("-5")), []Value{Int(-5)}, ""},
		{"converted double", []Param{conv(TInt)}, Values(Double(2.9)), []Value{Int(2)}, ""},
		{"converted text to double", []Param{conv(TDouble)}, Values(String("0.5")), []Value{Double(0.5)}, ""},
		{"text that is no number", []Param{conv(TInt)}, Values(String("5x")), nil, "error at parameter 0: expected string type but record doesn't match type"},
		{"double to text", []Param{conv(TString)}, Values(Double(2)), nil, "error at parameter 0: expected float type but bug -- internal error"},
		{"bytes to text", []Param{conv(TString)}, Values(Bytes("abc")), nil, "error at parameter 0: expected bytes array type but record doesn't match type"},
		{"array to text", []Param{conv(TString)}, Values(Array{}), nil, "error at parameter 0: expected array type but record doesn't match type"},
		{"rest", []Param{{Type: TInt, Rest: true, Optional: true}}, Values(Int(1), Int(2), Int(3)), []Value{Int(1), Int(2), Int(3)}, ""},
		{"rest, empty", []Param{{Type: TInt, Rest: true, Optional: true}}, Values(), nil, ""},
		{"rest, the first is needed", []Param{{Type: TInt, Rest: true}}, Values(), nil, "error at parameter 0: expected integer type but end of packet encountered"},
		{"rest, a wrong one after good ones", []Param{{Type: TInt, Rest: true, Optional: true}}, Values(Int(1), String("x"), Int(3)), []Value{Int(1)}, ""},
	} {
		r := registryOf(t, &Method{Name: "m", Params: tt.params, Handler: echo})
		c, f := Dispatch(t.Context(), r, &Wire{Kind: BinRPC}, "test", "m", tt.args)
		if f != nil {
			if f.Code != 400 || f.Text != tt.fault {
				t.Errorf("%s: fault %v, want %q", tt.name, f, tt.fault)
			}
			continue
		}
		if tt.fault != "" || !reflect.DeepEqual(c.Reply(), tt.want) {
			t.Errorf("%s: bound %v, want %v, fault %q", tt.name, c.Reply(), tt.want, tt.fault)
		}
	}
}

// TestLateFault is an optional parameter of the wrong type: a fault, unless the
// method answers something.
func TestLateFault(t *testing.T) {
	m := &Method{Name: "m", Params: []Param{{Type: TInt, Optional: true}}, Handler: silent}
	want := "error at parameter 0: expected integer type but record doesn't match type"
	if _, f := Dispatch(t.Context(), registryOf(t, m), &Wire{}, "test", "m", Values(String("x"))); f == nil || f.Text != want {
		t.Errorf("a silent method: %v, want fault %q", f, want)
	}
	m.Handler = func(_ context.Context, c *Call) error { c.Add(Int(c.Len())); return nil }
	if c, f := Dispatch(t.Context(), registryOf(t, m), &Wire{}, "test", "m", Values(String("x"))); f != nil || c.Reply()[0] != Int(0) {
		t.Errorf("a method that answers: %v", f)
	}
}

func TestBadParamsReplacesTheFault(t *testing.T) {
	own := &Fault{500, "Failed to get the parameters"}
	r := registryOf(t, &Method{Name: "m", Params: []Param{{Type: TInt}}, BadParams: own, Handler: echo})
	for _, kind := range []Kind{BinRPC, Line, XMLRPC, JSONRPC} {
		if _, f := Dispatch(t.Context(), r, &Wire{Kind: kind}, "test", "m", Values()); f != own {
			t.Errorf("%s: %v, want %v", kind, f, own)
		}
	}
}

func TestOtherWires(t *testing.T) {
	num := []Param{{Type: TInt}}
	for _, tt := range []struct {
		kind   Kind
		params []Param
		args   Args
		want   Value
		fault  string
	}{
		{Line, num, Values(String("0x10")), Int(16), ""},
		{Line, num, Values(String("010")), Int(8), ""},
		{Line, num, Values(String("12abc")), Int(12), ""},
		{Line, num, Values(String("abc")), Int(0), ""},
		{Line, num, Values(), nil, "400 Invalid parameter value on line 2"},
		{Line, []Param{{Type: TDouble}}, Values(String("1.5")), Double(1.5), ""},
		{JSONRPC, num, Values(Double(2.9)), Int(2), ""},
		{JSONRPC, num, Values(Bool(true)), Int(1), ""},
		{JSONRPC, num, Values(), nil, "400 Parameter 1 Missing"},
		{XMLRPC, num, Values(Double(2.9)), nil, "400 Invalid Parameter Type"},
		{XMLRPC, num, Values(Time(5)), Int(5), ""},
		{XMLRPC, []Param{{Type: TString, Convert: true}}, Values(Double(2.5)), String("2.5"), ""},
		{XMLRPC, []Param{{Type: TString, Convert: true}}, Values(Bool(true)), String("true"), ""},
		{XMLRPC, []Param{{Type: TString}}, Values(Null{}), String(""), ""},
		{XMLRPC, []Param{{Type: TStruct}}, Values(Items{M("a", Int(1))}), Struct{M("a", Int(1))}, ""},
	} {
		r := registryOf(t, &Method{Name: "m", Params: tt.params, Handler: echo})
		c, f := Dispatch(t.Context(), r, &Wire{Kind: tt.kind}, "test", "m", tt.args)
		if f != nil {
			if f.Error() != tt.fault {
				t.Errorf("%s %v: fault %v, want %q", tt.kind, tt.params, f, tt.fault)
			}
			continue
		}
		if tt.fault != "" || !reflect.DeepEqual(c.Reply(), []Value{tt.want}) {
			t.Errorf("%s %v: bound %v, want %v, fault %q", tt.kind, tt.params, c.Reply(), tt.want, tt.fault)
		}
	}
	for kind, want := range map[Kind]string{
		BinRPC: "command no.such not found", Line: "Command 'no.such' not found",
		XMLRPC: "Method Not Found", JSONRPC: "Method Not Found",
	} {
		if _, f := Dispatch(t.Context(), NewRegistry(), &Wire{Kind: kind}, "test", "no.such", Values()); f == nil || f.Code != 500 || f.Text != want {
			t.Errorf("%s: unknown method = %v, want 500 %q", kind, f, want)
		}
	}
}

func TestHandlerErrors(t *testing.T) {
	var log strings.Builder
	w := &Wire{Log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, tt := range []struct {
		handler func(context.Context, *Call) error
		want    Fault
		logged  string
	}{
		{func(context.Context, *Call) error { return Faultf(404, "no %s", "user") }, Fault{404, "no user"}, ""},
		{func(context.Context, *Call) error { return errors.New("disk full") }, Fault{500, "disk full"}, ""},
		{func(context.Context, *Call) error { panic("secret") }, Fault{500, "internal server error"}, "secret"},
	} {
		log.Reset()
		r := registryOf(t, &Method{Name: "m", Handler: tt.handler})
		_, f := Dispatch(t.Context(), r, w, "somebody", "m", Values())
		if f == nil || *f != tt.want {
			t.Errorf("fault %v, want %v", f, &tt.want)
		}
		if !strings.Contains(log.String(), tt.logged) || (tt.logged == "" && log.Len() > 0) {
			t.Errorf("fault %v logged %q, want in it %q", f, log.String(), tt.logged)
		}
	}
	log.Reset()
	r := registryOf(t, &Method{Name: "m", Changes: true, Handler: silent})
	if _, f := Dispatch(t.Context(), r, w, "somebody", "m", Values()); f != nil {
		t.Error(f)
	}
	if !strings.Contains(log.String(), "method=m") || !strings.Contains(log.String(), "peer=somebody") {
		t.Errorf("a call that changes something logged %q", log.String())
	}
}

func TestDoneRunsOnce(t *testing.T) {
	n := 0
	r := registryOf(t, &Method{Name: "m", Handler: func(_ context.Context, c *Call) error {
		c.After(func() { n++ })
		return nil
	}})
	c, f := Dispatch(t.Context(), r, &Wire{}, "test", "m", Values())
	if f != nil || n != 0 || !c.Deferred() {
		t.Fatalf("fault %v, ran %d times before Done, deferred %v", f, n, c.Deferred())
	}
	c.Done()
	c.Done()
	if n != 1 || c.Deferred() {
		t.Errorf("ran %d times, deferred %v; want once, false", n, c.Deferred())
	}
}

func TestRegistryRefusesTakenNames(t *testing.T) {
	r := registryOf(t, &Method{Name: "a", Handler: silent})
	if err := r.Add(&Method{Name: "b"}, &Method{Name: "a"}); err == nil {
		t.Error("a name was registered twice")
	}
	if _, ok := r.Lookup("b"); ok {
		t.Error("a refused Add left a method behind")
	}
}

func BenchmarkDispatch(b *testing.B) {
	r := NewRegistry()
	_ = r.Add(&Method{Name: "core.echo", Params: []Param{{Type: TString, Convert: true, Optional: true, Rest: true}}, Handler: echo})
	w := &Wire{}
	b.ReportAllocs()
	for b.Loop() {
		if _, f := Dispatch(b.Context(), r, w, "bench", "core.echo", Values(String("x"))); f != nil {
			b.Fatal(f)
		}
	}
}
