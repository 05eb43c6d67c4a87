package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// settle moves the process to where it is to live: root folder, working folder,
// user and group. Sockets are open by then, and what modules open afterwards
// belongs to that user.
func (r *Router) settle() error {
	uid, gid, err := r.owner()
	if err != nil {
		return err
	}
	if dir := r.conf.Str("chroot"); dir != "" {
		if err := syscall.Chroot(dir); err != nil {
			return fmt.Errorf("chroot to %s: %w", dir, err)
		}
		if err := os.Chdir("/"); err != nil {
			return fmt.Errorf("chroot to %s: %w", dir, err)
		}
	}
	if dir := r.conf.Str("workdir"); dir != "" {
		// Paths given on the command line are meant from where it was typed.
		for _, p := range []*string{&r.opt.Config, &r.opt.PIDFile, &r.opt.RunDir} {
			if abs, err := filepath.Abs(*p); err == nil && *p != "" && *p != "-" {
				*p = abs
			}
		}
		if err := os.Chdir(dir); err != nil {
			return fmt.Errorf("working folder: %w", err)
		}
	}
	if err := r.makeRunDir(uid, gid); err != nil {
		return err
	}
	if n := r.conf.Int("open_files_limit"); n > 0 {
		lim := syscall.Rlimit{Cur: uint64(n), Max: uint64(n)}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
			r.log.LogAttrs(context.Background(), slog.LevelWarn, "open_files_limit not set", slog.Int("limit", n), slog.Any("err", err))
		}
	}
	if gid >= 0 {
		if err := errors.Join(syscall.Setgroups([]int{gid}), syscall.Setgid(gid)); err != nil {
			return fmt.Errorf("run as group %d: %w", gid, err)
		}
	}
	if uid >= 0 {
		if err := syscall.Setuid(uid); err != nil {
			return fmt.Errorf("run as user %d: %w", uid, err)
		}
	}
	return nil
}

// owner looks user and group up; -1 where none is given. A user without a
// group brings its own.
func (r *Router) owner() (uid, gid int, err error) {
	uid, gid = -1, -1
	if name := r.conf.Str("user"); name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			if u, err = user.LookupId(name); err != nil {
				return -1, -1, fmt.Errorf("run as user %q: no such user", name)
			}
		}
		if uid, err = strconv.Atoi(u.Uid); err != nil {
			return -1, -1, fmt.Errorf("run as user %q: %w", name, err)
		}
		if gid, err = strconv.Atoi(u.Gid); err != nil {
			return -1, -1, fmt.Errorf("run as user %q: %w", name, err)
		}
	}
	if name := r.conf.Str("group"); name != "" {
		g, err := user.LookupGroup(name)
		if err != nil {
			if g, err = user.LookupGroupId(name); err != nil {
				return -1, -1, fmt.Errorf("run as group %q: no such group", name)
			}
		}
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return -1, -1, fmt.Errorf("run as group %q: %w", name, err)
		}
	}
	return uid, gid, nil
}

// runDir is the folder of control sockets.
func (r *Router) runDir() string {
	if dir := r.conf.Str("rundir"); dir != "" {
		return dir
	}
	return DefaultRunDir
}

// makeRunDir makes the folder of control sockets where it is missing.
func (r *Router) makeRunDir(uid, gid int) error {
	dir := r.runDir()
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if !slices.ContainsFunc([]string{"ctl", "jsonrpcs"}, func(m string) bool { return r.set.Get(m) != nil }) {
		return nil // nobody needs it
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("folder of control sockets: %w; choose another with -Y or run_dir", err)
	}
	if uid >= 0 || gid >= 0 {
		if err := os.Chown(dir, uid, gid); err != nil {
			return fmt.Errorf("folder of control sockets: %w", err)
		}
	}
	return nil
}

func (r *Router) writePID() error {
	if r.opt.PIDFile == "" {
		return nil
	}
	if err := os.WriteFile(r.opt.PIDFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}

func (r *Router) removePID() {
	if r.opt.PIDFile != "" {
		_ = os.Remove(r.opt.PIDFile) // it may have been cleaned up already
	}
}

// ready tells the service manager, when there is one, and the log.
func (r *Router) ready() {
	r.log.LogAttrs(context.Background(), slog.LevelInfo, "serving", slog.String("version", buildVersion),
		slog.String("config", r.opt.Config), slog.Int("sockets", len(r.transport.Sockets())))
	if _, err := systemd.SdNotify(false, systemd.SdNotifyReady); err != nil {
		r.log.LogAttrs(context.Background(), slog.LevelWarn, "the service manager was not told", slog.Any("err", err))
	}
}

func (r *Router) stopping() {
	r.log.LogAttrs(context.Background(), slog.LevelInfo, "stopped serving")
	_, _ = systemd.SdNotify(false, systemd.SdNotifyStopping) // nobody waits for it
}
