package pv

import (
	"os"
	"strconv"
	"strings"
	"time"

	"sipd/router/run"
	"sipd/router/sip"
)

// makeXLVars are the two-letter specifiers of SER's xl format (script.md §19).
func makeXLVars() map[string]Var {
	hexOf := func(n int) run.Value { return run.Str(strconv.FormatInt(int64(n), 16)) }
	host, _ := os.Hostname()
	short, domain, _ := strings.Cut(host, ".")
	vars := map[string]Var{
		"ds": {Get: destinationSet},
		"Hn": {Const: true, Get: fixed(run.Str(short))},
		"Hd": {Const: true, Get: fixed(str(domain, domain != ""))},
		"Hf": {Const: true, Get: fixed(run.Str(host))},
		"Hi": {Get: func(c *run.Context) run.Value { return run.Str(string(appendBareIP(nil, c.Recv.Dst.Addr()))) }},
		"mx": {Get: func(c *run.Context) run.Value { return hexOf(int(c.ID)) }},
		"nh": {Get: func(c *run.Context) run.Value { return str(nextHop(c), nextHop(c) != "") }},
		"px": {Const: true, Get: fixed(hexOf(os.Getpid()))},
		"Tx": {Get: func(c *run.Context) run.Value { return hexOf(int(c.Now().Unix())) }},
		"uq": {Get: func(c *run.Context) run.Value { return run.Str(uniqueID(c)) }},
		"cs": {Get: header(sip.HdrCSeq)},
		"rt": {Get: func(c *run.Context) run.Value {
			n, ok := identity(c.Msg, sip.HdrReferTo)
			return str(n.URI, ok)
		}},
	}
	same := map[string]string{
		"ci": "ci", "ct": "ct", "fu": "fu", "ft": "ft", "tu": "tu", "tt": "tt", "mb": "mb", "mf": "mf", "mi": "mi",
		"ml": "ml", "pp": "pp", "rm": "rm", "ru": "ru", "rr": "rr", "rs": "rs", "Ri": "Ri", "Rp": "Rp", "si": "si",
		"sp": "sp", "Ts": "Ts", "Tf": "Tf", "ua": "ua",
	}
	byName := make(map[string]Def)
	for _, d := range CoreVars() {
		byName[d.Name] = d
	}
	for spec, name := range same {
		d := byName[name]
		vars[spec] = Var{Get: d.Simple, Append: d.SimpleAppend}
	}
	return vars
}

// destinationSet is the request URI and the branches as Contact values.
func destinationSet(c *run.Context) run.Value {
	if !c.Msg.IsRequest() {
		return run.Null
	}
	b := append(append([]byte("Contact: <"), c.RURI()...), '>')
	b = appendQ(b, c.Main.Q)
	for i := range c.Branches {
		b = append(append(append(b, ", <"...), c.Branches[i].URI...), '>')
		b = appendQ(b, c.Branches[i].Q)
	}
	return run.Str(string(b))
}

func appendQ(b []byte, q int) []byte {
	if q == run.QUnset {
		return b
	}
	return strconv.AppendFloat(append(b, ";q="...), float64(q)/1000, 'f', -1, 64)
}

// uniqueID is text that no other message of this daemon gets: process, start
// and number.
func uniqueID(c *run.Context) string {
	b := strconv.AppendInt(nil, int64(os.Getpid()), 16)
	b = strconv.AppendInt(append(b, '-'), time.Now().UnixNano(), 16)
	return string(strconv.AppendUint(append(b, '-'), c.ID, 16))
}
