package dial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/jsonrpc"
	"sipd/rpc/xmlrpc"
)

func overHTTP(address string, opt Options) (rpc.Client, error) {
	wire, link, ok := strings.Cut(address, "+")
	if !ok || strings.ContainsAny(wire, ":/") {
		wire, link = "xmlrpc", address
	}
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("control address %q: %w", address, binrpc.ErrAddress)
	}
	p, err := newPoster(u, opt)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(wire, "jsonrpc") || link == address && strings.Contains(strings.ToLower(u.Path), "jsonrpc") {
		return jsonrpc.HTTP(u.Redacted(), p.post, p.close), nil
	}
	c := xmlrpc.New(u.Redacted(), p.post, p.close)
	c.Encode = opt.EncodeXML
	return c, nil
}

// poster sends requests over HTTP and shows the token with each. It has no
// limit for a whole reply, which may be long, but for the wait for more of it.
type poster struct {
	link    string
	auth    string // of the header Authorization, "" for none
	timeout time.Duration
	http    *http.Client
}

func newPoster(u *url.URL, opt Options) (*poster, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if opt.TLS != nil {
		t.TLSClientConfig = opt.TLS.Clone()
	}
	p := &poster{link: u.String(), timeout: opt.Timeout, http: &http.Client{Transport: t}}
	// A token goes where it was meant to go.
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if opt.Token != "" {
		if u.Scheme != "https" && !loopback(u.Hostname()) {
			return nil, fmt.Errorf("connect to %s: %w", u.Redacted(), ErrToken)
		}
		p.auth = "Bearer " + opt.Token // RFC 6750 section 2.1
	}
	return p, nil
}

func (p *poster) close() error {
	p.http.CloseIdleConnections()
	return nil
}

// post sends a request. The body of the answer must be closed; reading it
// fails with context.DeadlineExceeded when nothing comes for the timeout.
func (p *poster) post(ctx context.Context, contentType string, request []byte) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	b := &body{cancel: cancel, timeout: p.timeout}
	if p.timeout > 0 {
		b.timer = time.AfterFunc(p.timeout, cancel)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.link, bytes.NewReader(request))
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if p.auth != "" {
		req.Header.Set("Authorization", p.auth)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		err = b.word(err)
		cancel()
		return nil, err
	}
	b.more()
	b.ReadCloser = resp.Body
	resp.Body = b
	return resp, nil
}

// body is an answer on its way.
type body struct {
	io.ReadCloser
	cancel  func()
	timeout time.Duration
	timer   *time.Timer // nil without a timeout
}

// more starts the time anew.
func (b *body) more() {
	if b.timer != nil && b.timer.Stop() {
		b.timer.Reset(b.timeout)
	}
}

// word names an error that comes of the time being up.
func (b *body) word(err error) error {
	if b.timer != nil && !b.timer.Stop() && !errors.Is(err, io.EOF) {
		return context.DeadlineExceeded
	}
	return err
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		return n, b.word(err)
	}
	b.more()
	return n, nil
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	if b.timer != nil {
		b.timer.Stop()
	}
	b.cancel()
	return err
}
