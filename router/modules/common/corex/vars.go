package corex

import (
	"fmt"
	"strings"

	"sipd/router/pv"
	"sipd/router/run"
)

// vars are the variables that the module brings.
func vars() []pv.Def {
	return []pv.Def{{Name: "cfg", Help: "$cfg(line|file|route): the place in the configuration that is being executed", New: newPlace}}
}

func newPlace(n *pv.Name) (pv.Var, error) {
	switch strings.TrimSpace(n.Inner) {
	case "line":
		return pv.Var{Get: func(c *run.Context) run.Value { return run.Int(c.Line) }}, nil
	case "file", "name":
		return pv.Var{Get: func(c *run.Context) run.Value { return run.Str(c.File) }}, nil
	case "route":
		return pv.Var{Get: func(c *run.Context) run.Value { return run.Str(routeName(c)) }}, nil
	}
	return pv.Var{}, fmt.Errorf("$cfg(%s) does not exist; there are: line file route", n.Inner)
}

// routeName is the name of the block, or DEFAULT_ROUTE as Kamailio calls the
// main one.
func routeName(c *run.Context) string {
	if c.RouteName == "" {
		return "DEFAULT_ROUTE"
	}
	return c.RouteName
}
