package schema_test

import (
	"slices"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/schema"
)

// TestEveryRelease: what is made of each release, on every engine, has no
// difference from it, is recognised as its generation by columns, and as
// itself by the survey.
func TestEveryRelease(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			for _, r := range schema.Releases() {
				if e != db.SQLite && !telling(r.Number) {
					continue
				}
				t.Run(r.Number, func(t *testing.T) { oneRelease(t, dbtest.Open(t, e), r) })
			}
		})
	}
}

// telling are releases that are made on the servers too, where each takes a
// second.
func telling(number string) bool {
	return slices.Contains([]string{"0.9.7", "2.0.0", "1.0", "3.1", "6.1"}, number)
}

func oneRelease(t *testing.T, d *db.DB, r schema.Release) {
	s, err := schema.At(r.Number)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), d, s.Tables); err != nil {
		t.Fatal(err)
	}
	ts, err := schema.Examine(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for _, diff := range s.Verify(d.Engine, ts, s.Tables) {
		t.Errorf("just made: %s", diff)
	}
	got, err := schema.Recognise(t.Context(), d)
	if err != nil || got.Generation != r.Generation || got.Flavour != r.Flavour {
		t.Errorf("recognised as %+v, %v; want %s", got, err, r.Generation)
	}
	survey, err := schema.NewSurvey(t.Context(), d, s)
	if err != nil || !slices.Equal(survey.Releases, []string{r.Number}) {
		// Between these nothing changed that the older one has.
		same := [][]string{{"0.9.3", "0.9.7"}, {"5.7", "5.8"}}
		if err != nil || !slices.ContainsFunc(same, func(s []string) bool { return slices.Equal(s, survey.Releases) }) {
			t.Errorf("the survey says %v, %v", survey.Releases, err)
		}
	}
	for _, st := range survey.Tables {
		if st.State != schema.StateCurrent {
			t.Errorf("table %s is %q", st.Table, st.State)
		}
	}
}
