package ctl

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sipd/db"
)

// A shell shows no more than a screen and waits no longer than a person.
const (
	completeMost = 100
	completeTime = 2 * time.Second
)

// complete lists what begins with what was typed. Errors complete nothing: the
// command itself will tell them.
func complete[T any](a *App, cmd *cobra.Command, typed string, list func(context.Context, db.Directory, db.Filter) iter.Seq2[T, error], name func(T) string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	if a.configure(cmd) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	dir, err := a.reading(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for v, err := range list(ctx, dir, db.Filter{Match: typed}) {
		if err != nil || len(out) == completeMost {
			break
		}
		if n := name(v); strings.HasPrefix(n, typed) {
			out = append(out, n)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (a *App) completeUsers(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return complete(a, cmd, typed, func(ctx context.Context, d db.Directory, f db.Filter) iter.Seq2[db.User, error] {
		return d.Users(ctx, f)
	},
		func(u db.User) string { return u.Address.String() })
}

func (a *App) completeDomains(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return complete(a, cmd, typed, func(ctx context.Context, d db.Directory, f db.Filter) iter.Seq2[db.Domain, error] {
		return d.Domains(ctx, f)
	},
		func(d db.Domain) string { return d.Name })
}

func (a *App) completeAliases(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return complete(a, cmd, typed, func(ctx context.Context, d db.Directory, f db.Filter) iter.Seq2[db.Alias, error] {
		return d.Aliases(ctx, f)
	},
		func(x db.Alias) string { return x.Alias.String() })
}
