package corex

import (
	"strings"
	"testing"

	"sipd/router/corerpc"
	"sipd/router/module/moduletest"
	"sipd/rpc"
	"sipd/rpc/rpctest"
)

type fakeDaemon struct{}

func (fakeDaemon) Aliases() []corerpc.Alias { return []corerpc.Alias{{Host: "example.test"}} }

// TestRecorded compares the replies with those of a real Kamailio: names,
// types and order; figures differ.
func TestRecorded(t *testing.T) {
	r := moduletest.New(t, New())
	r.Host.Daemon = fakeDaemon{}
	for _, file := range []string{
		"corex.list_aliases.txt", "corex.pkg_summary.txt", "corex.shm_status.txt", "shm.info.txt", "shm.stats.txt",
	} {
		for _, rec := range rpctest.Calls(t, file) {
			vals, err := r.RPCCall(rec.Method, rec.Args...)
			if err != nil {
				f := rpc.AsFault(err)
				vals = []rpc.Value{rpc.Int(f.Code), rpc.String(f.Text)}
			}
			got, want := rpctest.Show(vals), rec.Decoded
			if file != "corex.list_aliases.txt" && !rec.Fault {
				got, want = rpctest.Shape(got), rpctest.Shape(want)
			}
			if got != want {
				t.Errorf("%s answers\n%s\nwant\n%s", rec.Title, got, want)
			}
		}
	}
}

func TestMemoryInTheLog(t *testing.T) {
	r := moduletest.New(t, New())
	if _, err := r.RPCCall("corex.shm_status"); err != nil || !strings.Contains(r.Log(), "msg=memory total=") {
		t.Errorf("corex.shm_status: %v, logged %s", err, r.Log())
	}
	if _, err := r.RPCCall("corex.shm_summary"); err != nil {
		t.Errorf("corex.shm_summary: %v", err)
	}
	vals, err := r.RPCCall("shm.report")
	if err != nil || !strings.HasPrefix(rpctest.Show(vals), "struct {\n  avp 'total_size'\n  int ") {
		t.Errorf("shm.report: %v, %v", rpctest.Show(vals), err)
	}
}

func TestDebugLevel(t *testing.T) {
	r := moduletest.New(t, New())
	if _, err := r.RPCCall("corex.debug"); err == nil {
		t.Error("without a variable core.debug: no fault")
	}
}
