// Package presencexml is the module of the events whose states are XML: presence,
// presence.winfo, dialog;sla and xcap-diff, with the rules about who may see what
// (RFC 5025) from a table.
package presencexml

import (
	"context"
	"errors"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/presence"
	"sipd/router/xmltree"
)

// server is module presence.
type server interface {
	Events() *presence.Events
	// State is what watchers of a presentity get, "" for nothing.
	State(ctx context.Context, presURI, event string) (string, error)
}

type mod struct {
	url, table                                                 string
	forceActive, forceDummy, integrated                        bool
	noPresence, noWinfo, noShared, noDiff, passive, singleBody bool
	servers                                                    []string
	deleteReason, priorities, lookUp                           string
	defaultExpires                                             int

	server server
	failed dbx.Failures
	conn   *dbx.Conn
	docs   documents
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &mod{
		url: "mysql://kamailio:kamailiorw@localhost/kamailio", table: "xcap", noShared: true,
		deleteReason: "probation", priorities: "Available|Ringing|On the Phone", lookUp: "note", defaultExpires: 3600,
	}
}

// Exports lists what the module brings.
func (m *mod) Exports() *module.Exports {
	return &module.Exports{
		Name: "presence_xml", Help: "events presence, presence.winfo, dialog;sla and xcap-diff, and the rules about them",
		Needs: []string{"presence"}, Functions: m.functions(),
		Params: []module.Param{
			{Name: "db_url", Help: "the database of xcap_table", Value: &m.url},
			{Name: "xcap_table", Help: "table of documents", Value: &m.table},
			{Name: "force_active", Help: "1: everybody may watch; no rules are read", Value: &m.forceActive},
			{Name: "integrated_xcap_server", Help: "1: the rules of users are in xcap_table", Value: &m.integrated},
			{Name: "pidf_manipulation", Help: "accepted; pres_refresh_watchers with type 2 reads documents in place of states", Value: func(int) error { return nil }},
			{Name: "xcap_server", Help: "not offered; rules are in xcap_table", Value: &m.servers},
			{Name: "disable_presence", Help: "1: without event presence", Value: &m.noPresence},
			{Name: "disable_winfo", Help: "1: without event presence.winfo", Value: &m.noWinfo},
			{Name: "disable_bla", Help: "0: with event dialog;sla", Value: &m.noShared},
			{Name: "disable_xcapdiff", Help: "1: without event xcap-diff", Value: &m.noDiff},
			{Name: "passive_mode", Help: "1: the module does nothing", Value: &m.passive},
			{Name: "xcapauth_userdel_reason", Help: "reason of a subscription that ends because no rule is about the watcher any more", Value: &m.deleteReason},
			{Name: "force_dummy_presence", Help: "1: who publishes nothing is shown as available", Value: &m.forceDummy},
			{Name: "force_presence_single_body", Help: "1: one of several states is shown, they are not joined", Value: &m.singleBody},
			{Name: "presence_single_body_priorities", Help: "texts of the element that decides, the most important last", Value: &m.priorities},
			{Name: "presence_single_body_lookup_element", Help: "name of the element that decides which state is shown", Value: &m.lookUp},
			{Name: "default_expires", Help: "life of a request without Expires, seconds", Value: &m.defaultExpires, Min: 0, Max: 1 << 30},
		},
	}
}

// Init adds the events, and opens the database where rules are read.
func (m *mod) Init(ctx context.Context, h *module.Host) error {
	m.failed.Module = h.Name
	if m.passive {
		return nil
	}
	s, ok := h.Module("presence").(server)
	if !ok {
		return errors.New(`it needs the presence server; put loadmodule "presence.so" before it`)
	}
	m.server = s
	if len(m.servers) > 0 && !m.integrated {
		return errors.New("xcap_server is not offered: rules are not fetched over HTTP; set integrated_xcap_server to 1 and keep them in the table xcap, or force_active to 1")
	}
	if !m.forceActive {
		if !m.integrated {
			return errors.New("set integrated_xcap_server to 1 to read rules from the table xcap, or force_active to 1 to let everybody watch")
		}
		if err := m.open(ctx, h); err != nil {
			return err
		}
	}
	return m.addEvents(s.Events())
}

func (m *mod) open(ctx context.Context, h *module.Host) (err error) {
	if m.conn, err = dbx.Open(ctx, h, m.url); err != nil {
		return err
	}
	m.docs = newDocuments(m.conn, m.table)
	return m.conn.Require(ctx, "kamailio", dbx.Table{Name: m.table, Columns: documentColumns})
}

// Close gives the database back.
func (m *mod) Close() error { return errors.Join(m.docs.close(), m.conn.Close()) }

// addEvents adds the events to those of the server.
func (m *mod) addEvents(l *presence.Events) error {
	var errs []error
	if !m.noPresence {
		errs = append(errs, l.Add(&presence.Event{
			Name: "presence", ContentType: "application/pidf+xml", DefaultExpires: m.defaultExpires,
			Authority: m, Aggregate: m.aggregate, CheckBody: checkXML, HardState: m.hardState,
		}))
	}
	if !m.noWinfo {
		errs = append(errs, l.Add(&presence.Event{
			Name: "presence.winfo", ContentType: "application/watcherinfo+xml", DefaultExpires: m.defaultExpires,
		}))
	}
	if !m.noShared {
		errs = append(errs, l.Add(&presence.Event{
			Name: "dialog;sla", ContentType: "application/dialog-info+xml", DefaultExpires: m.defaultExpires,
			SameETag: true, CheckBody: checkXML,
		}))
	}
	if !m.noDiff {
		errs = append(errs, l.Add(&presence.Event{
			Name: "xcap-diff", ContentType: "application/xcap-diff+xml", DefaultExpires: m.defaultExpires,
		}))
	}
	return errors.Join(errs...)
}

func checkXML(body string) error {
	_, err := xmltree.Parse(body)
	return err
}
