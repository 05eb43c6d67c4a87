package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/rpc"
)

const (
	apibanShort = "Addresses that are banned by a service (apiban.org), or by a list"
	apibanURL   = "https://apiban.org/api"
	apibanKey   = "APIBANKEY" // the variable that kamcli reads
	// mostBanned bounds what a list may have, apibanPage one answer, octets.
	mostBanned = 1 << 20
	apibanPage = 8 << 20
)

// banSource is where banned addresses come from.
type banSource struct {
	file, keyFile, url string
	pause              time.Duration // between two pages, as the service wants it
}

func (s *banSource) declare(cmd *cobra.Command, file bool) {
	f := cmd.Flags()
	f.SortFlags = false
	if file {
		f.StringVarP(&s.file, "file", "f", "", "a `file` in place of the service: an address or network a line, # before remarks; - is standard input")
	}
	f.StringVar(&s.keyFile, "key-file", "", "the key of the service, from the first line of this `file` (environment: "+apibanKey+")")
	f.StringVar(&s.url, "url", apibanURL, "`address` of the service")
	f.DurationVar(&s.pause, "pause", time.Second, "`time` between two questions to the service")
}

func (a *App) apibanCommand() *cobra.Command {
	var src banSource
	show := &cobra.Command{
		Use: "show", Short: "List the banned addresses", Args: want(0, 0),
		Example: "  sipctl apiban show --key-file apiban.key\n  sipctl apiban show --file banned.txt -o json",
	}
	var l listFlags
	l.declare(show, false, false)
	src.declare(show, true)
	show.RunE = func(cmd *cobra.Command, _ []string) error { return a.banShow(cmd.Context(), &src, &l) }
	var from banSource
	var to banTarget
	load := &cobra.Command{
		Use: "load", Short: "Ban the addresses: in a hash table of the running server, or in table address", Args: want(0, 0),
		Long: `Puts the banned addresses into a hash table of the running servers (htable.seti),
under which a script looks the source of a request up; with --group N into table
address instead, which module permissions reads. Those that are there already
stay. The server forgets those of the hash table at its end: run it from cron.`,
		Example: "  sipctl apiban load --key-file apiban.key --htable ipban --expire 24h\n  sipctl apiban load --file banned.txt --group 9",
	}
	from.declare(load, true)
	load.Flags().StringVarP(&to.htable, "htable", "t", "ipban", "`name` of the hash table")
	load.Flags().DurationVarP(&to.expire, "expire", "x", 0, "forget them after this `time`, 24h (default what the hash table says)")
	load.Flags().Int64Var(&to.group, "group", 0, "`number` of the group in table address, in place of the hash table")
	load.RunE = func(cmd *cobra.Command, _ []string) error {
		if to.group < 0 || to.expire < 0 || to.group > 0 && (to.expire > 0 || cmd.Flags().Changed("htable")) {
			return usagef(cmd, "--group is a number from 1 on, without --htable and --expire")
		}
		return a.banLoad(cmd.Context(), &from, to)
	}
	var one banSource
	check := &cobra.Command{
		Use: "check ADDRESS", Short: "Tell whether an address is banned", Args: want(1, 1),
		Long: "Tells whether the service, or the file, has the address; exit code 1 when it has not.", Example: "  sipctl apiban check 192.0.2.66 --key-file apiban.key",
		RunE: func(cmd *cobra.Command, args []string) error { return a.banCheck(cmd.Context(), &one, args[0]) },
	}
	one.declare(check, true)
	return group("apiban", apibanShort, show, load, check)
}

// banTarget is where they go.
type banTarget struct {
	htable string
	expire time.Duration
	group  int64 // of table address; 0: the hash table
}

func (a *App) banShow(ctx context.Context, src *banSource, l *listFlags) error {
	list, err := src.read(ctx, a.In)
	if err != nil {
		return err
	}
	w, err := a.list(l, []string{"address"})
	if err != nil {
		return err
	}
	if len(l.sort) == 0 {
		list = list[min(l.offset, len(list)):]
		if l.limit > 0 {
			list = list[:min(l.limit, len(list))]
		}
	}
	for _, p := range list {
		if err := w.row(banText(p)); err != nil {
			return err
		}
	}
	return w.close()
}

// banText is a single address without its bits.
func banText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func (a *App) banCheck(ctx context.Context, src *banSource, text string) error {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return &db.FieldError{Field: "address", Value: text, Why: "is no IP address"}
	}
	var banned bool
	if src.file != "" {
		list, err := src.read(ctx, a.In)
		if err != nil {
			return err
		}
		for _, p := range list {
			banned = banned || p.Contains(addr.Unmap())
		}
	} else if banned, err = src.check(ctx, addr); err != nil {
		return err
	}
	if err := output.Record(a.Out, a.set.output, output.F("address", addr.String()), output.F("banned", banned)); err != nil {
		return err
	}
	if !banned {
		return fmt.Errorf("%s is not banned%w", addr, silent{errNotBanned})
	}
	return nil
}

var errNotBanned = errors.New("not banned")

func (a *App) banLoad(ctx context.Context, src *banSource, to banTarget) error {
	list, err := src.read(ctx, a.In)
	if err != nil {
		return err
	}
	if to.group > 0 {
		return a.banStore(ctx, list, to.group)
	}
	servers := a.servers()
	var errs []error
	for _, server := range servers {
		n, err := a.banLive(ctx, server, list, to)
		if err != nil {
			errs = append(errs, fmt.Errorf("banned %d of %d addresses: %w", n, len(list), err))
			continue
		}
		if err := a.say("banned %s in %s of %s", countOf(n, "address"), to.htable, server); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// banLive bans in a hash table of one server, which has single addresses only.
func (a *App) banLive(ctx context.Context, server string, list []netip.Prefix, to banTarget) (int, error) {
	for _, p := range list {
		if !p.IsSingleIP() {
			return 0, fmt.Errorf("%s is a network, which a hash table has no place for; table address has: --group N", p)
		}
	}
	if a.opt.dryRun {
		return len(list), nil
	}
	var calls []call
	for _, p := range list {
		key := rpc.String(banText(p))
		calls = append(calls, call{method: "htable.seti", args: []rpc.Value{rpc.String(to.htable), key, rpc.Int(1)}})
		if to.expire > 0 {
			calls = append(calls, call{method: "htable.setex", args: []rpc.Value{rpc.String(to.htable), key, rpc.Int(to.expire / time.Second)}})
		}
	}
	return a.banCalls(ctx, server, calls, to.expire > 0)
}

// banCalls makes the calls over one connection and says how many addresses
// they banned.
func (a *App) banCalls(ctx context.Context, server string, calls []call, pairs bool) (int, error) {
	per := 1
	if pairs {
		per = 2
	}
	done := 0
	err := a.withServer(ctx, server, func(ask func(call) error) error {
		for _, c := range calls {
			if err := ask(c); err != nil {
				return err
			}
			done++
		}
		return nil
	})
	return done / per, err
}

// banStore adds rows to table address.
func (a *App) banStore(ctx context.Context, list []netip.Prefix, group int64) error {
	n := nounOf("address")
	r, err := a.nounRows(ctx, n, false)
	if err != nil {
		return err
	}
	if r.dir.Flavour() == db.SER {
		return fmt.Errorf("apiban load --group: the ser flavour has no table address: %w", db.ErrNotSupported)
	}
	added := 0
	for i := 0; i < len(list); i += importBatch {
		batch := list[i:min(i+importBatch, len(list))]
		count := 0
		err := r.dir.DB().Tx(ctx, func(tx *db.Tx) error {
			count = 0
			for _, p := range batch {
				cells, err := r.cells(ctx, r.place.add[:2], []string{fmt.Sprint(group), p.String()})
				if err != nil {
					return err
				}
				err = r.addTx(ctx, tx, cells, p.String)
				if taken(err) {
					continue
				}
				if err != nil {
					return err
				}
				count++
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("added %d networks, the rest not: %w", added, err)
		}
		added += count
	}
	return a.done(ctx, n.tell(), "added %s to group %d; %d were there", countOf(added, "network"), group, len(list)-added)
}

// read gets the list: from the file, or page by page from the service. What is
// no address is an error; double ones are left out.
func (s *banSource) read(ctx context.Context, in io.Reader) ([]netip.Prefix, error) {
	l := &banList{seen: make(map[netip.Prefix]bool)}
	if s.file != "" {
		err := s.readFile(in, l)
		return l.list, err
	}
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	id, before := "", ""
	for {
		var page struct {
			Addresses []string `json:"ipaddress"`
			ID        string   `json:"ID"`
		}
		_, err := s.get(ctx, []string{key, "banned", id}, &page)
		if err != nil {
			return nil, err
		}
		for _, text := range page.Addresses {
			if err := l.add(text, s.host()); err != nil {
				return nil, err
			}
		}
		if page.ID == "none" || page.ID == "" || page.ID == before {
			return l.list, nil
		}
		before, id = page.ID, page.ID
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(s.pause):
		}
	}
}

// banList collects addresses.
type banList struct {
	list []netip.Prefix
	seen map[netip.Prefix]bool
}

func (l *banList) add(text, from string) error {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		var addr netip.Addr
		if addr, err = netip.ParseAddr(text); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
	}
	if !p.IsValid() {
		return fmt.Errorf("%s: %q is no IP address", from, text)
	}
	if p = p.Masked(); !l.seen[p] {
		if len(l.list) == mostBanned {
			return fmt.Errorf("%s has more than %d addresses", from, mostBanned)
		}
		l.seen[p] = true
		l.list = append(l.list, p)
	}
	return nil
}

// readFile reads an address a line.
func (s *banSource) readFile(in io.Reader, l *banList) error {
	if s.file != "-" {
		f, err := os.Open(s.file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if err := l.add(text, fmt.Sprintf("%s:%d", s.file, n)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", s.file, err)
	}
	return nil
}

// key finds the key of the service, which is a secret.
func (s *banSource) key() (string, error) {
	if s.keyFile != "" {
		return passwordFile(s.keyFile)
	}
	if key := os.Getenv(apibanKey); key != "" {
		return key, nil
	}
	return "", errors.New("the service wants a key; give it with --key-file FILE or in " + apibanKey + ", or a list with --file FILE")
}

func (s *banSource) host() string {
	if u, err := url.Parse(s.url); err == nil && u.Host != "" {
		return u.Host
	}
	return "the service"
}

// check asks the service for one address. It answers with the address, or, as
// an error or not, with "not blocked" in its place.
func (s *banSource) check(ctx context.Context, addr netip.Addr) (bool, error) {
	key, err := s.key()
	if err != nil {
		return false, err
	}
	var page struct {
		Addresses []string `json:"ipaddress"`
	}
	code, err := s.get(ctx, []string{key, "check", addr.String()}, &page)
	if code == http.StatusBadRequest && len(page.Addresses) > 0 && page.Addresses[0] == "not blocked" {
		return false, nil
	}
	return err == nil && len(page.Addresses) > 0 && page.Addresses[0] != "not blocked", err
}

// get asks the service for a path, whose first part is the key: no error, and
// no other host, gets to see it.
func (s *banSource) get(ctx context.Context, path []string, into any) (code int, err error) {
	u, err := url.JoinPath(s.url, escaped(path)...)
	if err != nil {
		return 0, fmt.Errorf("the address of the service is none: %q", s.url)
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return 0, fmt.Errorf("the address of the service is none: %q", s.url)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		return 0, fmt.Errorf("ask %s: %w", s.host(), e.Err) // the URL has the key
	}
	if err != nil {
		return 0, fmt.Errorf("ask %s failed", s.host())
	}
	defer resp.Body.Close()
	err = json.NewDecoder(io.LimitReader(resp.Body, apibanPage)).Decode(into)
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, fmt.Errorf("%s answers %d %s", s.host(), resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	if err != nil {
		return resp.StatusCode, fmt.Errorf("%s answers what is no list of addresses: %w", s.host(), err)
	}
	return resp.StatusCode, nil
}

// escaped keeps each part of a path one part; empty ones are left out.
func escaped(parts []string) []string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, url.PathEscape(p))
		}
	}
	return out
}
