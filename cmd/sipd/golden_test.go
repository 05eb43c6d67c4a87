package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sipd/router/sip"
	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/rpctest"
)

const goldenConfig = `
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "kex.so"
loadmodule "counters.so"
loadmodule "statistics.so"
loadmodule "debugger.so"
loadmodule "corex.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "maxfwd.so"
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
loadmodule "jsonrpcs.so"
loadmodule "xmlrpc.so"
modparam("usrloc", "preload", "location")
modparam("counters", "script_counter", "scr.cnt1 first script counter")
modparam("statistics", "variable", "mystat")
modparam("debugger", "mod_hash_size", 5)
modparam("debugger", "mod_level_mode", 1)
modparam("jsonrpcs", "transport", 1)
modparam("jsonrpcs", "listen", "http://127.0.0.1:JSONPORT")
modparam("xmlrpc", "listen", "http://127.0.0.1:XMLPORT")
modparam("pv", "shvset", "gv=i:5")
modparam("pv", "shvset", "gs=s:hello")
custom.var1 = 1 desc "first"
custom.var2 = "default string" desc "second custom variable"
custom.nodesc = 7
custom[1].var1 = 15
custom[1].var2 = "specific"
custom[2].var1 = 20
other.limit = 100
request_route { sl_send_reply("200", "OK"); }
`

// answersOtherwise are recorded calls that answer otherwise here, and why.
var answersOtherwise = map[string]string{
	"core.aliases_list":      "no aliases are configured",
	"core.ppdefines":         "other names are defined",
	"core.ppdefines_full":    "other names are defined",
	"core.ps":                "other things run",
	"core.tcp_list":          "other connections are open",
	"corex.list_aliases":     "no aliases are configured",
	"system.methodSignature": "answered here",
	"system.listMethods":     "other methods are there",
	"dns.debug":              "other names are in the cache",
	"dns.debug_all":          "other names are in the cache",
	"dns.view":               "other names are in the cache",
	"mod.stats":              "other places hold memory",
	"tm.list":                "no transactions are open",
	"ctl.who":                "other connections are open",
	"ctl.connections":        "a client is connected",
	"ul.dump":                "compared where the table is the recorded one",
	"cfg.diff":               "compared where the changes are the recorded ones",
}

// callsOtherwise are single calls that do, on all wires or on one.
var callsOtherwise = map[string]string{
	`cfg.get ["tm"]`:                                     "the group is declared in another order, with relay_100 among it",
	`cfg.help ["core", "debug"] XML-RPC`:                 "several values are an array: a real Kamailio's reply is no XML-RPC",
	`cfg.help ["custom", "var2"] XML-RPC`:                "several values are an array",
	`cfg.help ["custom", "nodesc"] XML-RPC`:              "several values are an array",
	`dns.mem_info [] XML-RPC`:                            "several values are an array",
	`cfg.help ["core"] JSON-RPC`:                         "a missing parameter is a fault",
	`cfg.help ["core"] XML-RPC`:                          "a missing parameter is a fault",
	`cfg.set_now_int ["custom"] JSON-RPC`:                "a missing parameter is a fault",
	`cfg.set_now_int ["custom"] XML-RPC`:                 "a missing parameter is a fault",
	`cfg.set_now_int ["custom", "var1", "abc"] JSON-RPC`: "text for a number is a fault",
	`core.printi ["x"] JSON-RPC`:                         "text for a number is a fault",
	`core.printi ["x"] XML-RPC`:                          "text for a number is a fault",
	`core.prints [5] JSON-RPC`:                           "a number for a text is taken",
	`core.prints [5] XML-RPC`:                            "a number for a text is a fault",
	`cfg.reset ["registrar"]`:                            "a real 5.6.3 cannot reset it",
	`stats.fetch ["all"]`:                                "other statistics are there",
	`tm.t_uac_start ["OPTIONS", "sip:uas@127.0.0.1:16090", ".", ".", "From: <sip:rpc@example.test>\r\nTo: <sip:uas@127.0.0.1:16090>\r\n"] BinRPC`:      "a body that is left out is none",
	`tm.t_uac_wait_block ["OPTIONS", "sip:uas@127.0.0.1:16090", ".", ".", "From: <sip:rpc@example.test>\r\nTo: <sip:uas@127.0.0.1:16090>\r\n"] BinRPC`: "a body that is left out is none",
	`ul.add ["location", "dave", "sip:dave@127.0.0.1:16085", 600, 1, "", 0, 0, 0]`:                                                                     "a whole number is taken for q",
}

// shape is what replies have in common whatever the values are: names, types,
// order, and of a fault code and text. Elements of a list that look alike count
// once.
type shape string

func list(parts []string) string { return "[" + strings.Join(slices.Compact(parts), " ") + "]" }

func ofFault(code int, text string) shape { return shape(fmt.Sprintf("fault %d %s", code, text)) }

func ofValue(v rpc.Value) string {
	switch v := v.(type) {
	case rpc.Int:
		return "int"
	case rpc.Double:
		return "double"
	case rpc.Struct:
		parts := make([]string, len(v))
		for i, m := range v {
			parts[i] = m.Name + ":" + ofValue(m.Value)
		}
		return list(parts)
	case rpc.Array:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = ofValue(e)
		}
		return list(parts)
	}
	return "str"
}

func ofBinRPC(t *testing.T, vals []rpc.Value, err error) shape {
	t.Helper()
	if f, ok := errors.AsType[*rpc.Fault](err); ok {
		return ofFault(f.Code, f.Text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return shape(ofValue(rpc.Array(vals)))
}

// ofJSON reads the result or the error out of a reply, members in their order.
func ofJSON(t *testing.T, body string) shape {
	t.Helper()
	var reply struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal([]byte(body), &reply); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if reply.Error != nil {
		return ofFault(reply.Error.Code, reply.Error.Message)
	}
	d := json.NewDecoder(bytes.NewReader(reply.Result))
	s, err := jsonValue(d)
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return shape(s)
}

func jsonValue(d *json.Decoder) (string, error) {
	tok, err := d.Token()
	if err != nil {
		return "", err
	}
	switch tok := tok.(type) {
	case json.Delim:
		var parts []string
		for d.More() {
			name := ""
			if tok == '{' {
				key, err := d.Token()
				if err != nil {
					return "", err
				}
				name = fmt.Sprint(key) + ":"
			}
			s, err := jsonValue(d)
			if err != nil {
				return "", err
			}
			parts = append(parts, name+s)
		}
		_, err := d.Token()
		return fmt.Sprintf("%c", tok) + list(parts), err
	case string:
		return "str", nil
	case nil:
		return "null", nil
	}
	return "number", nil
}

// ofXML reads the tags of a reply: names and types, members in their order.
func ofXML(t *testing.T, body string) shape {
	t.Helper()
	var fault struct {
		XMLName xml.Name `xml:"methodResponse"`
		Code    []int    `xml:"fault>value>struct>member>value>int"`
		Text    []string `xml:"fault>value>struct>member>value>string"`
	}
	if err := xml.Unmarshal([]byte(body), &fault); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if len(fault.Code) == 1 {
		return ofFault(fault.Code[0], strings.Join(fault.Text, ""))
	}
	d := xml.NewDecoder(strings.NewReader(body))
	return shape(xmlElement(d))
}

// xmlElement is the shape of what stands up to the end of the open element.
func xmlElement(d *xml.Decoder) string {
	var parts []string
	text := ""
	for {
		tok, err := d.Token()
		switch tok := tok.(type) {
		case xml.CharData:
			text += string(tok)
		case xml.StartElement:
			inner := xmlElement(d)
			switch tok.Name.Local {
			case "name":
				parts = append(parts, inner+":")
			case "int", "i4", "double", "boolean", "string", "nil":
				parts = append(parts, tok.Name.Local)
			default:
				parts = append(parts, inner)
			}
		case xml.EndElement:
			if len(parts) == 0 && tok.Name.Local == "name" {
				return text
			}
			return list(parts)
		}
		if err != nil {
			return list(parts)
		}
	}
}

func postBody(t *testing.T, url, contentType, body string) string {
	t.Helper()
	resp, err := http.Post(url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sections are the parts of a recorded call, by their heads.
func sections(t *testing.T, file string) []map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(rpctest.Dir(t), file))
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, block := range strings.Split("\n"+string(data), "\n== call ")[1:] {
		s := make(map[string]string)
		for _, part := range strings.Split(block, "\n== ")[1:] {
			head, body, _ := strings.Cut(part, "\n")
			s[head] = body
		}
		out = append(out, s)
	}
	return out
}

// httpBody is what stands below the header of a recorded reply.
func httpBody(recorded string) string {
	_, body, _ := strings.Cut(recorded, "\n\n")
	return body
}

// TestGolden makes every recorded call whose method is here over BinRPC,
// JSON-RPC and XML-RPC, in the order of the recording (kamcmd's call first),
// and compares names, types and order, and of faults code and text.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(rpctest.Dir(t), "[a-z]*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	config, port := withPorts(t, goldenConfig)
	s := serve(t, configFile(t, config), "-l", "udp:ADDR", "-l", "tcp:ADDR")
	c, err := binrpc.Dial(t.Context(), binrpc.Address{Net: "unixs", Path: s.Ctl}, binrpc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	known, err := c.Call(t.Context(), "system.listMethods")
	if err != nil {
		t.Fatal(err)
	}
	for _, aor := range []string{"alice", "bob"} {
		s.sipcmd(t, "ul.add", "location", aor, "sip:"+aor+"@127.0.0.1:16081", "3600", "0.7", "", "0", "0", "-1")
	}
	uas := answering(t)
	here := func(text string) string { return strings.ReplaceAll(text, "127.0.0.1:16090", uas) }
	s.sipcmd(t, "dns.add_a", "localhost", "60", "127.0.0.1", "1")
	compared := 0
	for _, path := range files {
		file := filepath.Base(path)
		parts := sections(t, file)
		for i, rec := range rpctest.Calls(t, file) {
			if !slices.Contains(known, rpc.Value(rpc.String(rec.Method))) || rec.Method == "core.kill" || rec.Reply == nil {
				continue
			}
			for j, a := range rec.Args {
				if text, ok := a.(rpc.String); ok {
					rec.Args[j] = rpc.String(here(string(text)))
				}
			}
			_, _ = c.Call(t.Context(), rec.Method, rec.Args...) // as kamcmd did first
			vals, err := c.Call(t.Context(), rec.Method, rec.Args...)
			got := map[string]shape{"BinRPC": ofBinRPC(t, vals, err)}
			want := map[string]shape{"BinRPC": recordedShape(t, rec)}
			if request := parts[i]["jsonrpc request"]; request != "" && httpBody(parts[i]["jsonrpc reply"]) != "" {
				got["JSON-RPC"] = ofJSON(t, postBody(t, fmt.Sprintf("http://127.0.0.1:%d/RPC", port["JSONPORT"]), "application/json", here(request)))
				want["JSON-RPC"] = ofJSON(t, httpBody(parts[i]["jsonrpc reply"]))
			}
			if request := parts[i]["xmlrpc request"]; request != "" && httpBody(parts[i]["xmlrpc reply"]) != "" {
				got["XML-RPC"] = ofXML(t, postBody(t, fmt.Sprintf("http://127.0.0.1:%d/RPC2", port["XMLPORT"]), "text/xml", here(request)))
				want["XML-RPC"] = ofXML(t, httpBody(parts[i]["xmlrpc reply"]))
			}
			if answersOtherwise[rec.Method] != "" {
				continue
			}
			for wire := range got {
				if callsOtherwise[rec.Title] != "" || callsOtherwise[rec.Title+" "+wire] != "" {
					continue
				}
				compared++
				if got[wire] != want[wire] {
					t.Errorf("%s over %s answers\n%s\nwant\n%s", rec.Title, wire, got[wire], want[wire])
				}
			}
		}
	}
	if compared < 200 {
		t.Errorf("only %d answers were compared", compared)
	}
}

// answering is the address of a phone that answers everything with 200.
func answering(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	addr := conn.LocalAddr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFromUDP(b)
			if err != nil {
				return
			}
			if m, err := sip.Parse(string(b[:n])); err == nil && m.IsRequest() && m.Method() != sip.ACK {
				_, _ = conn.WriteToUDP(m.AppendReply(nil, &sip.Reply{Code: 200, ToTag: "uastag", Extra: "Contact: <sip:uas@" + addr + ">\r\n"}), from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return addr
}

func recordedShape(t *testing.T, rec rpctest.Call) shape {
	t.Helper()
	h, err := binrpc.ParseHeader(rec.Reply)
	if err != nil {
		t.Fatal(err)
	}
	d := binrpc.NewDecoder(rec.Reply[h.Size:])
	vals, err := d.All()
	if err != nil {
		t.Fatal(err)
	}
	if rec.Fault {
		return ofFault(int(vals[0].(rpc.Int)), string(vals[1].(rpc.String)))
	}
	return shape(ofValue(rpc.Array(vals)))
}
