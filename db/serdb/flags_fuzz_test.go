package serdb

import "testing"

// FuzzFlags: a change applied twice is the same as once, no bit is both set and
// cleared, and what a value is written as means that value.
func FuzzFlags(f *testing.F) {
	for _, s := range []string{"+fs-t", "=cs", "57", "0x21", "", "-", "+-+", "z", "-1", "4294967296", "=+f"} {
		f.Add(s, uint32(33))
	}
	f.Fuzz(func(t *testing.T, spec string, v uint32) {
		c, err := ParseFlags(spec)
		if err == nil && (c.Set&c.Clear != 0 || c.Apply(c.Apply(v)) != c.Apply(v)) {
			t.Errorf("flags %q are %+v: on %d once %d, twice %d", spec, c, v, c.Apply(v), c.Apply(c.Apply(v)))
		}
		low := v & (1<<len(letters) - 1)
		set := "="
		for _, r := range FormatFlags(low) {
			if r != '-' {
				set += string(r)
			}
		}
		back, err := ParseFlags(set)
		if err != nil || back.Apply(^uint32(0)) != low {
			t.Errorf("%d is written as %q, which is %d, %v", low, FormatFlags(low), back.Apply(^uint32(0)), err)
		}
	})
}
