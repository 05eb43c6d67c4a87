package dispatcher

import (
	"math"
	"slices"
)

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

// measured takes the time of a ping's answer in, and moves the relative weight of
// a destination that asks for it (cc=1): by what its answers are late. The weights
// count once all of the set ask for it. The caller holds the set's mu.
func (s *set) measured(x *dest, ms, code int, alpha float64) {
	if x.flags&probing == 0 {
		return
	}
	if code == 408 {
		x.latency.timeouts++
	} else {
		x.latency.add(ms, alpha)
	}
	moved := false
	if x.attrs.congestion && x.attrs.weight > 0 {
		moved = x.weigh(max(x.attrs.weight-x.latency.congestion(), 0))
	}
	if slices.ContainsFunc(s.dests, func(o *dest) bool { return !o.attrs.congestion }) {
		return
	}
	if s.share() || moved {
		s.fillRelative()
	}
}

// weigh sets the relative weight; true when it was another.
func (x *dest) weigh(n int) bool {
	moved := x.rweight != n
	x.rweight = n
	return moved
}

// share weighs the destinations by how late they are against each other, when all
// are later than their weights allow; true when one has another weight then.
func (s *set) share() (moved bool) {
	late, total := 0, 0
	for _, x := range s.dests {
		if x.attrs.weight <= 0 {
			continue
		}
		c := x.latency.congestion()
		if c < x.attrs.weight {
			return false
		}
		late++
		total += c
	}
	if late < 2 {
		return false
	}
	for _, x := range s.dests {
		if x.weigh(total << 4 / max(x.latency.congestion(), 1)) { // as Kamailio: sixteenfold, for whole numbers
			moved = true
		}
	}
	return moved
}
