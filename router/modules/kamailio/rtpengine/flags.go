package rtpengine

import (
	"fmt"
	"strconv"
	"strings"
)

// flags are what the words of a function's argument say, in the form that the
// ng protocol wants.
type flags struct {
	dict                   dict
	transport              profile
	callID, fromTag, toTag string
	viaBranch              string // "", "1", "2", "auto", "extra", "auto-extra"
	withTo, force          bool
	direction, list        []any
}

// profile is the RTP profile asked for: bit 1 is AVP or AVPF, bit 2 SRTP, bit 4
// DTLS; known says which were named.
type profile struct {
	feedback, secure, dtls bool
	known                  bool
}

// explicit are the profiles by name.
var explicit = map[string]profile{
	"RTP/AVP": {known: true}, "RTP/AVPF": {feedback: true, known: true}, "RTP/SAVP": {secure: true, known: true},
	"RTP/SAVPF": {feedback: true, secure: true, known: true}, "UDP/TLS/RTP/SAVP": {secure: true, dtls: true, known: true},
	"UDP/TLS/RTP/SAVPF": {feedback: true, secure: true, dtls: true, known: true},
}

func (p profile) String() string {
	s := "RTP/"
	if p.dtls {
		s = "UDP/TLS/RTP/"
	}
	if p.secure {
		s += "S"
	}
	s += "AVP"
	if p.feedback {
		s += "F"
	}
	return s
}

// lists are the words whose rest goes into a list of their own.
var lists = []struct{ prefix, key string }{
	{"replace", "replace"}, {"SDES", "SDES"}, {"rtcp-mux", "rtcp-mux"}, {"T.38", "T.38"}, {"T38", "T.38"}, {"OSRTP", "OSRTP"},
}

// parseFlags reads the argument of rtpengine_offer and its like: words with
// blanks between, some with =value. Words that are not known go to the relay as
// they are.
func parseFlags(text string) (*flags, error) {
	f := &flags{}
	for word := range strings.FieldsSeq(text) {
		if err := f.word(word); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *flags) word(word string) error {
	key, value, has := strings.Cut(word, "=")
	if has && value == "" {
		return fmt.Errorf("%q has no value", word)
	}
	if f.known(key, value, has) {
		return nil
	}
	switch key {
	case "via-branch":
		return f.via(value)
	case "repacketize", "TOS", "delete-delay":
		return f.number(key, value)
	}
	if f.inList(key, value, has) {
		return nil
	}
	if has {
		f.dict.add(key, value)
	} else {
		f.list = append(f.list, word)
	}
	return nil
}

// known reads the words with a meaning of their own.
func (f *flags) known(key, value string, has bool) bool {
	if p, ok := explicit[key]; ok && !has {
		f.transport = p
		return true
	}
	switch {
	case key == "to-tag":
		f.withTo = true
		if has {
			f.toTag = value
		}
	case key == "from-tag" && has:
		f.fromTag = value
	case key == "call-id" && has:
		f.callID = value
	case key == "direction" && has:
		f.direction = append(f.direction, value)
	case (key == "internal" || key == "external") && !has:
		f.direction = append(f.direction, key)
	case key == "force-answer" && !has:
		f.force = true
	case key == "RTP" && !has:
		f.transport.known, f.transport.secure = true, false
	case key == "SRTP" && !has:
		f.transport.known, f.transport.secure = true, true
	case key == "AVP" && !has:
		f.transport.known, f.transport.feedback = true, false
	case key == "AVPF" && !has:
		f.transport.known, f.transport.feedback = true, true
	case key == "DTLS" && !has:
		f.transport.known, f.transport.dtls, f.transport.secure = true, true, true
	default:
		return false
	}
	return true
}

func (f *flags) via(value string) error {
	switch value {
	case "1", "2", "auto", "extra", "auto-extra":
		f.viaBranch = value
		return nil
	case "next", "auto-next":
		return fmt.Errorf("via-branch=%s is not supported: the branch is not known yet; use via-branch=extra with extra_id_pv", value)
	}
	return fmt.Errorf("via-branch is 1, 2, auto, extra or auto-extra, not %q", value)
}

func (f *flags) number(key, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil {
		return fmt.Errorf("%s wants a number, not %q", key, value)
	}
	if key == "delete-delay" {
		f.dict.add("delete delay", n) // the name that older relays know
	}
	f.dict.add(key, n)
	return nil
}

// inList reads replace-origin, SDES-off, codec-strip=PCMU and their like.
func (f *flags) inList(key, value string, has bool) bool {
	if what, ok := strings.CutPrefix(key, "codec-"); ok && has {
		f.dict.sub("codec", func(d *dict) { d.push(what, value) })
		return true
	}
	for _, l := range lists {
		switch rest, ok := strings.CutPrefix(key, l.prefix); {
		case !ok:
		case rest == "" && has:
			f.dict.push(l.key, value)
			return true
		case strings.HasPrefix(rest, "-") && !has:
			f.dict.push(l.key, rest[1:])
			return true
		}
	}
	return false
}
