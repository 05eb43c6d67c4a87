package module

import (
	"reflect"
	"strings"
)

// Changed names the parameters whose values differ between two instances of
// one module, in order of declaration. Parameters that are set by a function
// cannot be compared and are not named, nor are runtime variables.
func Changed(a, b Module) []string {
	var names []string
	before := make(map[string]any)
	for _, p := range a.Exports().Params {
		before[p.Name] = p.Value
	}
	for _, p := range b.Exports().Params {
		x, y := reflect.ValueOf(before[p.Name]), reflect.ValueOf(p.Value)
		switch p.Value.(type) {
		case *int, *bool, *string, *[]string:
			if x.IsValid() && x.Type() == y.Type() && !reflect.DeepEqual(x.Elem().Interface(), y.Elem().Interface()) {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// RestartError says that parameters changed which count from a start on only.
type RestartError struct{ Params []string }

func (e *RestartError) Error() string {
	return "a reload cannot change " + strings.Join(e.Params, ", ") + "; restart the daemon, or write what was there before"
}
