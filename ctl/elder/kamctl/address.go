package kamctl

import (
	"context"
	"fmt"
	"strings"

	"sipd/db"
)

// The characters that the elder allows in user names.
const userClass = `[-a-zA-Z0-9&=\\+$,;?/_.!~*'()]+`

var (
	aor    = lazy(`^` + userClass + `@.+`)
	sipAOR = lazy(`^sips?:` + userClass + `@.+`)
	sipURI = lazy(`^sips?:(` + userClass + `@)?.+`)
)

// user reads USER or USER@DOMAIN; without a domain it is in SIP_DOMAIN.
func (k *control) user(s string) (db.Address, error) {
	name, domain, _ := strings.Cut(s, "@")
	if strings.Contains(domain, "@") {
		k.error("'%s' has more than one @: which one is meant?", s)
		return db.Address{}, failed
	}
	if domain == "" {
		domain = k.rc.get("SIP_DOMAIN", "")
	}
	if domain == "" {
		k.error("domain unknown: use usernames with domain or set default domain in SIP_DOMAIN")
		return db.Address{}, failed
	}
	return db.Address{User: name, Domain: domain}, nil
}

// addressOf is user for an argument that must be USER@DOMAIN.
func (k *control) addressOf(s string) (db.Address, error) {
	if !aor().MatchString(s) {
		return db.Address{}, k.invalid("AoR", s)
	}
	return k.user(s)
}

func (k *control) invalid(what, s string) error {
	fmt.Fprintf(k.Err, "error: invalid %s: %s\n", what, s)
	return failed
}

// in are the fields of an address in two columns.
func in(a db.Address, user, domain string) []field {
	return []field{f(user, a.User), f(domain, a.Domain)}
}

func (k *control) subscribers() string { return k.rc.table("SUB_TABLE", "subscriber") }

// isUser tells whether there is a subscriber of that address.
func (k *control) isUser(ctx context.Context, a db.Address) (bool, error) {
	return k.has(ctx, k.subscribers(), in(a, "username", "domain")...)
}

// knownUser asks about a user that is no subscriber, where the settings want it.
func (k *control) knownUser(ctx context.Context, s string) (db.Address, error) {
	a, err := k.user(s)
	if err != nil || !k.rc.on("VERIFY_USER", "1") {
		return a, err
	}
	ok, err := k.isUser(ctx, a)
	if err != nil || ok {
		return a, err
	}
	if !k.yes("Non-existent user '%s'. Still proceeding? [Y|N] ", s) {
		return a, failed
	}
	k.info("Proceeding with non-local user")
	return a, nil
}
