package kamctl

import (
	"regexp"
	"sync"
)

// lazy compiles an expression when it is first asked for: sipctl, which is
// seldom kamctl, need not at its every start.
func lazy(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
