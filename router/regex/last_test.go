package regex

import (
	"errors"
	"slices"
	"testing"
)

func TestLast(t *testing.T) {
	var made []string
	odd := errors.New("odd")
	l := Last[int]{Make: func(s string) (int, error) {
		made = append(made, s)
		if len(s)%2 == 1 {
			return 0, odd
		}
		return len(s), nil
	}}
	for _, tt := range []struct {
		in   string
		want int
		err  error
	}{{"", 0, nil}, {"", 0, nil}, {"abcd", 4, nil}, {"abcd", 4, nil}, {"x", 0, odd}, {"x", 0, odd}, {"abcd", 4, nil}} {
		if n, err := l.Get(tt.in); n != tt.want || err != tt.err {
			t.Errorf("Get(%q) = %d, %v; want %d, %v", tt.in, n, err, tt.want, tt.err)
		}
	}
	if want := []string{"", "abcd", "x", "abcd"}; !slices.Equal(made, want) {
		t.Errorf("made of %q, want %q", made, want)
	}
}
