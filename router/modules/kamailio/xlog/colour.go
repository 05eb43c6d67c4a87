package xlog

import (
	"errors"
	"strings"

	"sipd/router/pv"
	"sipd/router/run"
)

const colours = "xsrgybpcwXSRGYBPCW"

// colourVar is $C(fb), letters of a foreground and a background colour. It is
// empty, as in Kamailio where the log is no terminal: no log of ours has colours.
func colourVar() pv.Def {
	return pv.Def{Name: "C", Help: "$C(fb): colours by two letters of x s r g y b p c w; accepted, a log has none", New: newColour}
}

func newColour(n *pv.Name) (pv.Var, error) {
	text := strings.TrimSpace(n.Inner)
	if len(text) != 2 || strings.Trim(text, colours) != "" {
		return pv.Var{}, errors.New("$C wants two letters of " + colours + ", as in $C(rx)")
	}
	return pv.Var{Get: func(*run.Context) run.Value { return run.Str("") }}, nil
}
