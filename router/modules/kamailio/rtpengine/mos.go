package rtpengine

import (
	"fmt"
	"strconv"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

// Figures of quality: relays tell a mean opinion score (MOS) of each source of
// media, the lowest, the highest and the average, and what it was made of. They
// come with the answers to rtpengine_query and rtpengine_delete, and go into the
// variables that parameters name: of the whole call, and of the parties that
// have a label.

// figure is what a variable gets; its parameter is mos_KIND[_PART]_pv, with _A or
// _B before the end for a party.
type figure struct{ kind, part string }

var figures = []figure{
	{"min", ""},
	{"min", "at"},
	{"min", "packetloss"},
	{"min", "jitter"},
	{"min", "roundtrip"},
	{"min", "roundtrip_leg"},
	{"max", ""},
	{"max", "at"},
	{"max", "packetloss"},
	{"max", "jitter"},
	{"max", "roundtrip"},
	{"max", "roundtrip_leg"},
	{"average", ""},
	{"average", "packetloss"},
	{"average", "jitter"},
	{"average", "roundtrip"},
	{"average", "roundtrip_leg"},
	{"average", "samples"},
}

func (f figure) param(party string) string {
	name := "mos_" + f.kind
	if f.part != "" {
		name += "_" + f.part
	}
	return name + party + "_pv"
}

// quality is the variables of the call or of a party.
type quality struct {
	party     string // "", "_A" or "_B"
	labelText string
	texts     [18]string // in the order of figures

	label *pv.Format // nil: all media
	set   [18]pv.Setter
	any   bool
}

func (q *quality) params() []module.Param {
	var list []module.Param
	of := "of the call"
	if q.party != "" {
		of = "of the party with the label of mos" + q.party + "_label_pv"
		list = append(list, module.Param{Name: "mos" + q.party + "_label_pv", Help: "label of a party, with variables; without it its figures are those of the call", Value: &q.labelText})
	}
	for i, f := range figures {
		what := f.part
		if what == "" {
			what = "MOS"
		}
		list = append(list, module.Param{Name: f.param(q.party), Help: "variable that gets: " + what + " (" + f.kind + ") " + of, Value: &q.texts[i]})
	}
	return list
}

func (q *quality) compile(reg *pv.Registry) (err error) {
	if q.labelText != "" {
		if q.label, err = reg.ParseFormat(q.labelText, pv.Kamailio); err != nil {
			return fmt.Errorf("mos%s_label_pv: %w", q.party, err)
		}
	}
	for i, f := range figures {
		if q.texts[i] == "" {
			continue
		}
		v, err := parseVar(reg, f.param(q.party), q.texts[i], true)
		if err != nil {
			return err
		}
		q.set[i], q.any = v.Set, true
	}
	return nil
}

// scores are a MOS, tenfold, with what it was made of, or sums of n of them.
type scores struct {
	mos, at, loss, jitter, trip, leg, samples int
	n                                         int
}

func readScores(source dict, key string) (s scores, ok bool) {
	d, ok := source.get(key).(dict)
	if !ok {
		return s, false
	}
	n := func(key string) int {
		if k, ok := d.get(key).(int); ok {
			return k
		}
		return -1
	}
	return scores{n("MOS"), n("reported at"), n("packet loss"), n("jitter"), n("round-trip time"), n("round-trip time leg"), n("samples"), 1}, true
}

func (s *scores) add(o scores) {
	s.mos, s.loss, s.jitter, s.trip, s.leg, s.samples = s.mos+o.mos, s.loss+o.loss, s.jitter+o.jitter, s.trip+o.trip, s.leg+o.leg, s.samples+o.samples
	s.n++
}

// text is a figure as Kamailio writes it: a MOS with one decimal, a time since
// the call began as minutes and seconds.
func (s *scores) text(part string, created int) string {
	switch part {
	case "":
		n := s.mos / s.n
		return fmt.Sprintf("%d.%d", n/10, n%10)
	case "at":
		n := s.at - created
		return fmt.Sprintf("%d:%02d", n/60, max(n%60, -(n%60)))
	case "packetloss":
		return strconv.Itoa(s.loss / s.n)
	case "jitter":
		return strconv.Itoa(s.jitter / s.n)
	case "roundtrip":
		return strconv.Itoa(s.trip / s.n)
	case "roundtrip_leg":
		return strconv.Itoa(s.leg / s.n)
	}
	return strconv.Itoa(s.samples / s.n)
}

// qualities sets the variables from a relay's answer.
func (m *mod) qualities(c *run.Context, reply dict) {
	for i := range m.quality {
		if q := &m.quality[i]; q.any {
			q.write(c, reply)
		}
	}
}

func (q *quality) write(c *run.Context, reply dict) {
	var only map[int]bool // nil: all sources
	if q.label != nil {
		if only = sourcesOf(reply, q.label.Eval(c)); len(only) == 0 {
			return
		}
	}
	created, _ := reply.get("created").(int)
	sources, _ := reply.get("SSRC").(dict)
	all := summary(sources, only)
	for i, f := range figures {
		if s := all[f.kind]; q.set[i] != nil && s.n > 0 {
			q.set[i](c, run.Str(s.text(f.part, created)))
		}
	}
}

// summary is the lowest, the highest and the average of sources.
func summary(sources dict, only map[int]bool) map[string]*scores {
	low, high, sum := &scores{mos: 100}, &scores{mos: -1}, &scores{}
	for _, p := range sources {
		id, err := strconv.Atoi(p.key)
		source, ok := p.value.(dict)
		if !ok || only != nil && (err != nil || !only[id]) {
			continue
		}
		if s, ok := readScores(source, "average MOS"); ok && s.mos > 0 {
			sum.add(s)
		}
		if s, ok := readScores(source, "highest MOS"); ok && s.mos > high.mos {
			*high = s
		}
		if s, ok := readScores(source, "lowest MOS"); ok && s.mos > 0 && s.mos < low.mos {
			*low = s
		}
	}
	return map[string]*scores{"min": low, "max": high, "average": sum}
}

// mostSources bounds the sources of a party, as with Kamailio.
const mostSources = 4

// sourcesOf are the sources of media (SSRC) of the party with a label.
func sourcesOf(reply dict, label string) map[int]bool {
	list := make(map[int]bool)
	tags, _ := reply.get("tags").(dict)
	for _, p := range tags {
		tag, _ := p.value.(dict)
		if tag == nil || tag.str("label") != label {
			continue
		}
		medias, _ := tag.get("medias").([]any)
		for _, media := range medias {
			d, _ := media.(dict)
			streams, _ := d.get("streams").([]any)
			if len(streams) == 0 || len(list) == mostSources {
				continue
			}
			first, _ := streams[0].(dict) // RTP; the second is RTCP
			if id, ok := first.get("SSRC").(int); ok {
				list[id] = true
			}
		}
	}
	return list
}
