package kamctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const startTime = 10 * time.Second

func (k *control) pidFile() string { return k.rc.get("PID_FILE", "/run/kamailio/kamailio.pid") }

// daemon is the program that start runs: KAMBIN, else kamailio beside us.
func (k *control) daemon() string {
	return k.rc.get("KAMBIN", filepath.Join(filepath.Dir(k.name), "kamailio"))
}

// start runs the daemon and waits until it has written its pid file.
func (k *control) start(ctx context.Context, _ []string) error {
	fmt.Fprintln(k.Out)
	k.info("Starting Kamailio : ")
	if _, err := os.Stat(k.pidFile()); err == nil {
		k.info("PID file exists (%s)! Kamailio already running?", k.pidFile())
		return failed
	}
	bin := k.daemon()
	if _, err := exec.LookPath(bin); err != nil {
		fmt.Fprintln(k.Out)
		k.error("Kamailio binaries not found at %s", bin)
		k.error("set KAMBIN to the path of kamailio in ~/.kamctlrc")
		return failed
	}
	args := []string{"-P", k.pidFile()}
	if k.rc.get("SYSLOG", "1") != "1" {
		args = append(args, "-E")
	}
	args = append(args, "-f", filepath.Join(k.rc.get("ETCDIR", "/etc/kamailio"), "kamailio.cfg"))
	// Not bound to ctx: the daemon outlives us.
	cmd := exec.Command(bin, append(args, strings.Fields(k.rc.get("STARTOPTIONS", ""))...)...)
	if k.rc.get("SYSLOG", "1") != "1" {
		cmd.Stdout, cmd.Stderr = k.Out, k.Err
	}
	err := cmd.Run() // it goes into the background by itself
	if err == nil {
		err = k.await(ctx, func() bool { _, ok := k.pid(); return ok })
	}
	if err != nil {
		k.complain(err)
		fmt.Fprintln(k.Out)
		k.error("PID file %s does not exist -- Kamailio start failed", k.pidFile())
		return failed
	}
	pid, _ := k.pid()
	k.info("started (pid: %d)", pid)
	return nil
}

func (k *control) pid() (int, bool) {
	b, err := os.ReadFile(k.pidFile())
	if err != nil {
		return 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid, err == nil && pid > 1
}

// await asks again and again until something is so.
func (k *control) await(ctx context.Context, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !so() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func (k *control) stop(_ context.Context, _ []string) error {
	fmt.Fprintln(k.Out)
	k.info("Stopping Kamailio : ")
	pid, ok := k.pid()
	if !ok {
		fmt.Fprintln(k.Out)
		k.error("No PID file found (%s)! Kamailio probably not running", k.pidFile())
		k.info("check with 'ps axw | grep kamailio'")
		return failed
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		k.complain(fmt.Errorf("stop process %d: %w", pid, err))
		k.info("stopped")
		return k.lied()
	}
	k.info("stopped")
	return nil
}

// restart waits until the old process is gone, where the elder waits 2 seconds.
func (k *control) restart(ctx context.Context, args []string) error {
	pid, _ := k.pid()
	if err := k.stop(ctx, args); err != nil {
		return err
	}
	gone := func() bool {
		_, err := os.Stat(k.pidFile())
		return err != nil && (errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid))
	}
	if err := k.await(ctx, gone); err != nil {
		k.complain(fmt.Errorf("process %d still runs, or %s is still there: %w", pid, k.pidFile(), err))
		return failed
	}
	return k.start(ctx, args)
}

// zombie tells whether a process has ended and nobody has asked how.
func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := strings.LastIndexByte(string(b), ')')
	return err == nil && i >= 0 && strings.HasPrefix(string(b[i+1:]), " Z")
}

// extension is a file of the site that the elder would run for an unknown
// command, "" when there is none.
func (k *control) extension(name string) string {
	if strings.ContainsRune(name, '/') {
		return ""
	}
	for _, dir := range []string{k.rc.get("ETCDIR", "/etc/kamailio"), filepath.Join(os.Getenv("HOME"), ".kamctl")} {
		path := filepath.Join(dir, "kamctl."+name+".ext")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}
