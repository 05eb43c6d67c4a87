package tm

import "testing"

func TestBranchID(t *testing.T) {
	for _, id := range []branchID{{0, 0, 0}, {entries - 1, 0xffffffff, maxBranches - 1}, {0x1a2, 0x10, 3}} {
		s := id.String()
		if got, ok := parseID(s); !ok || got != id {
			t.Errorf("parseID(%q) = %v, %v; want %v", s, got, ok, id)
		}
	}
	for _, s := range []string{"", "z9hG4bK", "z9hG4bK1.2", "z9hG4bK1.2.", "z9hG4bK10000.1.0", "z9hG4bK1.123456789.0", "z9hG4bK1.2.40", "z9hG4bK01.2.3", "z9hG4bKg.2.3", "x9hG4bK1.2.3", "z9hG4bK1.2.3x"} {
		if id, ok := parseID(s); ok {
			t.Errorf("parseID(%q) = %v", s, id)
		}
	}
}

// FuzzBranchID: what is taken for ours prints as it came.
func FuzzBranchID(f *testing.F) {
	f.Add("z9hG4bK1.2.3")
	f.Add("z9hG4bKffff.ffffffff.3f")
	f.Add("z9hG4bK0.0.00")
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := parseID(s); ok && id.String() != s {
			t.Errorf("%q is read as %v, which prints %q", s, id, id.String())
		}
	})
}
