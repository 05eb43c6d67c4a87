package kamctl

import (
	"context"
	"strconv"

	"sipd/db"
)

// few is the elder's answer to a command word alone.
func (k *control) few(args []string, family string) error {
	if len(args) >= 2 {
		return k.needEngine()
	}
	k.error("too few parameters")
	k.help(family)
	return failed
}

// want shows how a command is written unless it has n arguments, its own name
// included.
func (k *control) want(args []string, n int, family string) error {
	if len(args) == n {
		return nil
	}
	k.help(family)
	return failed
}

// secrets are the columns that a password becomes; the realm is the domain.
func (k *control) secrets(a db.Address, password string) []field {
	plain := ""
	if k.rc.on("STORE_PLAINTEXT_PW", "1") {
		plain = password
	}
	return []field{
		{column: "ha1", text: db.HA1(a.User, a.Domain, password), secret: true},
		{column: "ha1b", text: db.HA1(a.String(), a.Domain, password), secret: true},
		{column: "password", text: plain, secret: true},
	}
}

func (k *control) subscriberAdd(ctx context.Context, args []string) error {
	if err := k.few(args, "subscriber"); err != nil {
		return err
	}
	if err := k.want(args, 3, "subscriber"); err != nil {
		return err
	}
	name, password := args[1], args[2]
	a, err := k.user(name)
	if err != nil {
		return err
	}
	if a.User == "" || password == "" {
		k.error("user name and password must not be empty")
		return failed
	}
	exists, err := k.isUser(ctx, a)
	if err != nil {
		return err
	}
	if exists {
		k.info("user '%s' already exists", name)
		return failed
	}
	alias, err := k.isAlias(ctx, a)
	if err != nil {
		return err
	}
	if alias {
		k.info("user '%s' already exists as alias", name)
		return failed
	}
	row := append(in(a, "username", "domain"), k.secrets(a, password)...)
	if _, err := k.apply(ctx, insert(k.subscribers(), row...)); err != nil {
		_ = k.sqlError(err, "introducing the new user '%s' to the database failed", name)
		return k.lied()
	}
	k.echo("new user '%s' added", name)
	return nil
}

func (k *control) subscriberShow(ctx context.Context, args []string) error {
	if err := k.few(args, "subscriber"); err != nil {
		return err
	}
	if err := k.want(args, 2, "subscriber"); err != nil {
		return err
	}
	a, err := k.user(args[1])
	if err != nil {
		return err
	}
	return k.show(ctx, query{table: k.subscribers(), where: in(a, "username", "domain"), vertical: k.engine == db.MySQL})
}

// subscriberOf reads the user of a command that wants one that exists.
func (k *control) subscriberOf(ctx context.Context, args []string, n int) (db.Address, error) {
	if err := k.few(args, "subscriber"); err != nil {
		return db.Address{}, err
	}
	if err := k.want(args, n, "subscriber"); err != nil {
		return db.Address{}, err
	}
	a, err := k.user(args[1])
	if err != nil {
		return a, err
	}
	exists, err := k.isUser(ctx, a)
	if err == nil && !exists {
		k.error("non-existent user '%s'", args[1])
		err = failed
	}
	return a, err
}

func (k *control) subscriberPasswd(ctx context.Context, args []string) error {
	a, err := k.subscriberOf(ctx, args, 3)
	if err != nil {
		return err
	}
	if args[2] == "" {
		k.error("the password must not be empty")
		return failed
	}
	c := change{table: k.subscribers(), set: k.secrets(a, args[2])}.update(in(a, "username", "domain")...)
	if _, err := k.apply(ctx, c); err != nil {
		_ = k.sqlError(err, "password change failed")
		return k.lied()
	}
	k.info("password change succeeded")
	return nil
}

// subscriberSet is sets, for texts, and setn, for numbers.
func (k *control) subscriberSet(ctx context.Context, args []string) error {
	a, err := k.subscriberOf(ctx, args, 4)
	if err != nil {
		return err
	}
	v := f(args[2], args[3])
	if args[0] == "setn" {
		if _, err := strconv.ParseFloat(v.text, 64); err != nil {
			k.error("'%s' is no number; sets is for texts", v.text)
			return failed
		}
		v.number = true
	}
	v.secret = v.column == "password" || v.column == "ha1" || v.column == "ha1b"
	if _, err := k.apply(ctx, change{table: k.subscribers(), set: []field{v}}.update(in(a, "username", "domain")...)); err != nil {
		_ = k.sqlError(err, "attribute change failed")
		return k.lied()
	}
	k.info("attribute change succeeded")
	return nil
}

// subscriberRemove takes groups, aliases and the user away in one transaction,
// then the contacts out of the daemon's memory.
func (k *control) subscriberRemove(ctx context.Context, args []string) error {
	a, err := k.subscriberOf(ctx, args, 2)
	if err != nil {
		return err
	}
	own := in(a, "username", "domain")
	groups := remove(k.rc.table("ACL_TABLE", "grp"), own...)
	groups.quiet = true
	if err := k.changeOr(ctx, "removal of the user '"+args[1]+"' failed; nothing was changed",
		groups, remove(k.aliasTable(), own...), remove(k.subscribers(), own...)); err != nil {
		return err
	}
	reply, err := k.call(ctx, "ul.rm", k.rc.table("UL_TABLE", "location"), a.String())
	switch {
	case err != nil:
		k.complain(err)
		k.complain(errKeepsContacts{k.name, args[1]})
		return noFIFO
	case reply.fault != nil && reply.fault.code != notFound:
		k.complain(reply.fault)
		k.complain(errKeepsContacts{k.name, args[1]})
		return k.lied()
	}
	return nil
}

// errKeepsContacts says what is done, what is not, and what finishes it.
type errKeepsContacts struct{ program, user string }

func (e errKeepsContacts) Error() string {
	return "the user is out of the database, but the daemon may keep contacts of it; to remove them: " + e.program + " ul rm " + e.user
}
