package web

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"sipd/router/run"
)

// Reply implements [run.Foreign]: a reply of the script becomes a response.
func (r *Request) Reply(c *run.Context, code int, reason string) error {
	w := r.Start(c, code, reason, c.ReplyType)
	if w == nil {
		return errAnswered
	}
	if _, err := io.WriteString(w, c.ReplyBody); err != nil {
		return err
	}
	return r.End()
}

var errAnswered = fmt.Errorf("the HTTP request was answered already")

// Start begins the response: header lines of the script (append_to_reply) come
// along. What is written then is the body, of any length; End ends it. nil when
// the request was answered already.
func (r *Request) Start(c *run.Context, code int, reason, contentType string) io.Writer {
	if r.answered {
		return nil
	}
	r.answered = true
	var h strings.Builder
	h.WriteString("HTTP/" + r.Version + " " + strconv.Itoa(code) + " " + oneLine(reason) + "\r\nSia: " + r.via + "\r\n")
	h.WriteString(c.ReplyExtra)
	if contentType != "" && !strings.Contains(strings.ToLower(c.ReplyExtra), "content-type:") {
		h.WriteString("Content-Type: " + oneLine(contentType) + "\r\n")
	}
	h.WriteString(c.Env.Server)
	r.w.begin(h.String(), r.Version != "1.0", r.Method == "HEAD")
	return r.w
}

// End sends what is left of the response.
func (r *Request) End() error {
	if r.w.end() {
		r.keep = false
	}
	return r.w.err
}

// oneLine keeps a phrase from becoming header lines.
func oneLine(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
}

// hold is how much of a body is kept back: a response that ends before has its
// length in the header, a longer one goes out in chunks while it is made.
const hold = 64 << 10

// writer writes one response.
type writer struct {
	out     io.Writer
	head    string
	body    []byte
	chunked bool // the client knows chunks; else a long body ends with the connection
	noBody  bool
	begun   bool // the header is out
	err     error
}

func (w *writer) begin(head string, chunks, noBody bool) {
	w.head, w.chunked, w.noBody = head, chunks, noBody
}

func (w *writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.body = append(w.body, b...)
	if len(w.body) >= hold {
		w.flush()
	}
	return len(b), w.err
}

// flush sends what was held as a piece of a long body.
func (w *writer) flush() {
	if !w.begun {
		w.begun = true
		if w.chunked {
			w.send([]byte(w.head + "Transfer-Encoding: chunked\r\n\r\n"))
		} else {
			w.send([]byte(w.head + "Connection: close\r\n\r\n"))
		}
	}
	switch {
	case len(w.body) == 0 || w.noBody:
	case w.chunked:
		w.send([]byte(strconv.FormatInt(int64(len(w.body)), 16) + "\r\n"))
		w.send(append(w.body, "\r\n"...))
	default:
		w.send(w.body)
	}
	w.body = w.body[:0]
}

// end ends the response; the answer says that the connection must end with it.
func (w *writer) end() (closes bool) {
	if !w.begun {
		w.head += "Content-Length: " + strconv.Itoa(len(w.body)) + "\r\n\r\n"
		if w.noBody {
			w.body = nil
		}
		w.send(append([]byte(w.head), w.body...))
		return false
	}
	w.flush()
	if w.chunked {
		w.send([]byte("0\r\n\r\n"))
		return false
	}
	return true
}

func (w *writer) send(b []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(b)
	}
}

// Serve has run answer the request, and sends what is left: 404 when nobody
// answered and the script did not drop it. It says whether the connection is
// kept.
func (r *Request) Serve(c *run.Context, out io.Writer, answer func(*run.Context) bool) (keep bool) {
	r.w = &writer{out: out}
	c.Foreign = r
	taken := answer(c)
	c.Foreign = nil
	switch {
	case r.answered:
		return r.keep && r.w.err == nil
	case !taken:
		c.ReplyExtra = ""
		r.Start(c, 404, "Not Found", "text/plain")
		_, _ = io.WriteString(r.w, "nothing is served here\n")
		_ = r.End()
	}
	return false
}

// Refuse answers a request that does not parse.
func Refuse(out io.Writer, err error) {
	text := "400 Bad Request: " + oneLine(err.Error()) + "\n"
	_, _ = io.WriteString(out, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: "+
		strconv.Itoa(len(text))+"\r\n\r\n"+text)
}
