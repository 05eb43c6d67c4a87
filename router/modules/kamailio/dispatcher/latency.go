package dispatcher

import "math"

// trained is the count from which an average is trusted.
const trained = 10000

// latency are the figures of a destination's answers to pings, milliseconds.
type latency struct {
	average, stdev, estimate, m2 float64
	lowest, highest              int
	count, timeouts              int
}

// start begins with a value as if it had come count times.
func (l *latency) start(ms, count int) {
	timeouts := l.timeouts
	v := float64(ms)
	*l = latency{average: v, estimate: v, lowest: ms, highest: ms, count: count, timeouts: timeouts}
}

// add takes a measurement in; alpha is the weight of what was before.
func (l *latency) add(ms int, alpha float64) {
	if l.count < 1<<21 {
		l.count++
	} else { // from here on the average forgets
		l.m2 -= l.m2 / float64(l.count)
	}
	if l.count == 1 {
		l.start(ms, 1)
	}
	if l.count > 10 && l.count < trained && l.stdev < 0.5 {
		l.count = trained
	}
	l.lowest, l.highest = min(l.lowest, ms), max(l.highest, ms)
	if l.count > 1 {
		delta := float64(ms) - l.average
		l.average += delta / float64(l.count)
		l.m2 += delta * (float64(ms) - l.average)
		l.stdev = math.Sqrt(l.m2 / float64(l.count-1))
	}
	if l.count < 10 {
		l.estimate = l.average
	} else {
		l.estimate = l.estimate*alpha + float64(ms)*(1-alpha)
	}
}

// congestion is by how much the estimate is above the average.
func (l *latency) congestion() int { return max(int(l.estimate-l.average), 0) }

// measured takes the time of a ping's answer in, and moves relative weights
// where destinations ask for it (cc=1). The caller holds the set's mu.
func (s *set) measured(x *dest, ms, code int, alpha float64) {
	if x.flags&probing == 0 {
		return
	}
	if code == 408 {
		x.latency.timeouts++
	} else {
		x.latency.add(ms, alpha)
	}
	all, congested, normal, total, moved := true, 0, 0, 0, false
	for _, o := range s.dests {
		if !o.attrs.congestion {
			all = false
			continue
		}
		if o.attrs.weight <= 0 {
			continue
		}
		c := o.latency.congestion()
		total += c
		left := max(o.attrs.weight-c, 0)
		if left == 0 {
			congested++
		} else {
			normal++
		}
		if o == x && o.rweight != left {
			o.rweight, moved = left, true
		}
	}
	if all && congested > 1 && normal == 0 && total > 0 { // all are late: by their share
		for _, o := range s.dests {
			if w := 100 - 100*o.latency.congestion()/total; o.rweight != w {
				o.rweight, moved = w, true
			}
		}
	}
	if moved {
		s.fillRelative()
	}
}
