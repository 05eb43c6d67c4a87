package transport

import (
	"io"
	"time"
)

// Foreign deals with what is not SIP on a stream. What it writes to w goes out
// before it returns, however long that takes: the way of long answers. It says
// whether the connection is kept.
type Foreign func(request string, r Received, w io.Writer) (keep bool)

// foreignWriter writes to a connection and waits until it is written.
type foreignWriter struct {
	c   *conn
	err error
}

// foreignTime bounds a write where tcp_send_timeout does not.
const foreignTime = 30 * time.Second

func (w *foreignWriter) Write(b []byte) (n int, err error) {
	if w.err == nil {
		n, w.err = w.c.writeWait(b)
	}
	return n, w.err
}

// writeWait writes all of b, or queues it behind a writer that is at work.
func (c *conn) writeWait(b []byte) (int, error) {
	c.mu.Lock()
	if c.closed || c.last {
		c.mu.Unlock()
		return 0, ErrClosed
	}
	if c.nc == nil || c.writing || len(c.queue) > 0 {
		defer c.mu.Unlock()
		if err := c.enqueue(b); err != nil {
			return 0, err
		}
		c.startWriter()
		return len(b), nil
	}
	c.writing = true // what others write meanwhile is queued
	nc := c.nc
	c.mu.Unlock()
	wait := foreignTime
	if n := c.t.m.vars.SendTimeout.Get(c.t.m.snapshot()); n > 0 {
		wait = time.Duration(n) * time.Second
	}
	err := nc.SetWriteDeadline(time.Now().Add(wait))
	n := 0
	if err == nil {
		n, err = nc.Write(b)
	}
	c.touch()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	if err != nil {
		c.closeLocked(err)
		return n, err
	}
	c.startWriter()
	return n, nil
}
