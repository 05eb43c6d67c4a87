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

// completeThen completes users first, and behind a user what names gives.
func (a *App) completeThen(names func(context.Context, db.Directory) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return a.completeUsers(cmd, args, typed)
		}
		return a.completeNames(cmd, typed, names)
	}
}

// completeNames completes from a list of the database.
func (a *App) completeNames(cmd *cobra.Command, typed string, names func(context.Context, db.Directory) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	return complete(a, cmd, typed, func(ctx context.Context, d db.Directory, _ db.Filter) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			list, err := names(ctx, d)
			if err != nil {
				yield("", err)
				return
			}
			for _, n := range list {
				if !yield(n, nil) {
					return
				}
			}
		}
	}, func(n string) string { return n })
}

// attrNames are the names of attributes: those declared (ser flavour) or in use.
func attrNames(ctx context.Context, d db.Directory) ([]string, error) {
	query := "SELECT DISTINCT attribute FROM usr_preferences ORDER BY attribute"
	if d.Flavour() == db.SER {
		query = "SELECT name FROM attr_types ORDER BY name"
	}
	return texts(ctx, d, query)
}

// groupNames are the groups that somebody is in.
func groupNames(ctx context.Context, d db.Directory) ([]string, error) {
	query := "SELECT DISTINCT grp FROM grp ORDER BY grp"
	if d.Flavour() == db.SER {
		query = "SELECT DISTINCT value FROM user_attrs WHERE name = 'acl' ORDER BY value"
	}
	return texts(ctx, d, query)
}

func texts(ctx context.Context, d db.Directory, query string) ([]string, error) {
	return db.All(db.Rows(ctx, d.DB(), func(scan func(...any) error) (string, error) {
		var t db.Text
		err := scan(&t)
		return string(t), err
	}, query))
}

// completeAttrs completes the owner and then the name of an attribute, with a
// = behind it where a value follows.
func (a *App) completeAttrs(o *ownerFlags, value bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 && o.domain == "" && !o.global {
			return a.completeUsers(cmd, args, typed)
		}
		names, directive := a.completeNames(cmd, typed, attrNames)
		if value && directive == cobra.ShellCompDirectiveNoFileComp {
			for i := range names {
				names[i] += "="
			}
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return names, directive
	}
}
