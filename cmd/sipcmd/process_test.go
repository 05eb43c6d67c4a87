package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/socket"
)

// asProgram makes a link by which the test binary is sipcmd (testscript.Main).
func asProgram(t testing.TB, dir string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "sipcmd")
	if err := os.Symlink(exe, name); err != nil {
		t.Fatal(err)
	}
	return name
}

// manyContacts is a location table of n contacts as ul.dump shows it, made
// while it is sent.
func manyContacts(n int) rpc.Value {
	contact := func(i int) rpc.Struct {
		return rpc.Struct{
			rpc.M("Address", rpc.String(fmt.Sprintf("sip:user%d@192.0.2.%d:%d;transport=udp", i, i%256, 1024+i%60000))),
			rpc.M("Expires", rpc.Int(3600)),
			rpc.M("Q", rpc.Double(-1)), rpc.M("Call-ID", rpc.String("843817637684230@998sdasdh09-"+strconv.Itoa(i))),
			rpc.M("CSeq", rpc.Int(i)),
			rpc.M("User-Agent", rpc.String("Example Phone 7.3.1")),
			rpc.M("Received", rpc.String("[not set]")),
			rpc.M("Path", rpc.String("[not set]")),
			rpc.M("State", rpc.String("CS_SYNC")),
			rpc.M("Flags", rpc.Int(0)),
			rpc.M("CFlags", rpc.Int(0)),
			rpc.M("Socket", rpc.String("udp:192.0.2.1:5060")),
			rpc.M("Methods", rpc.Int(-1)),
			rpc.M("Ruid", rpc.String("uloc-6b038cf6-286f-2")),
			rpc.M("Instance", rpc.String("[not set]")),
			rpc.M("Reg-Id", rpc.Int(0)),
			rpc.M("Last-Modified", rpc.Int(1795394806)),
		}
	}
	return rpc.Struct{rpc.M("Domains", rpc.Items{rpc.M("Domain", rpc.Struct{
		rpc.M("Domain", rpc.String("location")),
		rpc.M("AoRs", rpc.Stream(func(yield func(rpc.Member) bool) {
			for i := range n {
				if !yield(rpc.M("Info", rpc.Struct{
					rpc.M("AoR", rpc.String("user"+strconv.Itoa(i))),
					rpc.M("Contacts", rpc.Items{rpc.M("Contact", contact(i))}),
				})) {
					return
				}
			}
		})),
	})})}
}

// serveMany is a daemon with a location table of n contacts.
func serveMany(t testing.TB, dir string, n int) (address string) {
	t.Helper()
	reg := rpc.NewRegistry()
	err := reg.Add(&rpc.Method{Name: "ul.dump", Handler: func(_ context.Context, c *rpc.Call) error {
		c.Add(manyContacts(n))
		return nil
	}}, &rpc.Method{Name: "core.uptime", Handler: func(_ context.Context, c *rpc.Call) error {
		c.Add(rpc.Struct{rpc.M("uptime", rpc.Int(4))})
		return nil
	}}, binrpc.PageMethod())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "many")
	s := &binrpc.Server{Registry: reg, Log: slog.New(slog.DiscardHandler), File: binrpc.FileMode{UID: -1, GID: -1}}
	if err := s.Listen(t.Context(), socket.Address{Net: "unixs", Path: path}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return path
}

// counter counts octets.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// dump runs sipcmd ul.dump as a program: how much it printed, and the most
// memory that it had, octets.
func dump(t testing.TB, program, address, form string) (printed, memory int64) {
	t.Helper()
	var n counter
	cmd := exec.CommandContext(t.Context(), program, "-s", address, "-o", form, "-t", "60", "ul.dump")
	cmd.Env = append(os.Environ(), "SIPCMD_CONFIG=/dev/null")
	cmd.Stdout, cmd.Stderr = &n, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Skip("skipped: how much memory a process had is not known here")
	}
	return int64(n), usage.Maxrss << 10
}

// TestDumpMemory: a dump far larger than the limit passes in every form with
// less memory than that.
func TestDumpMemory(t *testing.T) {
	const contacts, limit = 200_000, 100 << 20
	dir := t.TempDir()
	program, address := asProgram(t, dir), serveMany(t, dir, contacts)
	for _, form := range []string{"json", "text"} {
		printed, memory := dump(t, program, address, form)
		t.Logf("%s: %d MB printed with %d MB of memory", form, printed>>20, memory>>20)
		if printed < contacts*350 {
			t.Errorf("%s: only %d octets for %d contacts", form, printed, contacts)
		}
		if memory > limit {
			t.Errorf("%s: %d MB of memory, more than %d", form, memory>>20, limit>>20)
		}
	}
}

// BenchmarkDump is the dump of a million contacts to JSON, by sipcmd as a
// program: time, and the most memory it had.
func BenchmarkDump(b *testing.B) {
	dir := b.TempDir()
	program, address := asProgram(b, dir), serveMany(b, dir, 1_000_000)
	for b.Loop() {
		printed, memory := dump(b, program, address, "json")
		b.SetBytes(printed)
		b.ReportMetric(float64(memory)/(1<<20), "MB-memory")
	}
}

// BenchmarkStart is core.uptime as a whole process, and the real kamcmd beside
// it where it is installed: what counts is how they compare in one run.
// SIPCMD_BINARY names a sipcmd as it is installed; without it the test binary
// is measured, which is larger.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	address := serveMany(b, dir, 1)
	programs := []string{os.Getenv("SIPCMD_BINARY"), "/usr/sbin/kamcmd"}
	if programs[0] == "" {
		programs[0] = asProgram(b, dir)
	}
	for _, program := range programs {
		b.Run(filepath.Base(program), func(b *testing.B) {
			if _, err := os.Stat(program); err != nil {
				b.Skip("not installed: ", err)
			}
			cpu := time.Duration(0)
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), program, "-s", address, "core.uptime")
				cmd.Stdout = io.Discard
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			}
			b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}
