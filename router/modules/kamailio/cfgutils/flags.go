package cfgutils

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/rpc"
)

// flagFunc compiles a function of one global flag, by its number.
func flagFunc(do func(bit uint32) bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		if !a[0].IsConst {
			return nil, &module.ArgError{Err: errors.New("the flag must be a constant")}
		}
		n := a[0].Const.Int()
		if n < 0 || n > 31 {
			return nil, &module.ArgError{Err: fmt.Errorf("global flags are 0 to 31, not %d", n)}
		}
		bit := uint32(1) << n
		return func(*run.Context) int { return code(do(bit)) }, nil
	}
}

func (u *cfgutils) rpcFlags(do func(mask uint32)) func(context.Context, *rpc.Call) error {
	return func(_ context.Context, c *rpc.Call) error {
		if !c.Has(0) {
			return rpc.Faultf(500, "Invalid Parameters")
		}
		do(uint32(c.Int(0)))
		return nil
	}
}

func (u *cfgutils) rpcIsFlag(_ context.Context, c *rpc.Call) error {
	if !c.Has(0) {
		return rpc.Faultf(500, "Invalid Parameters")
	}
	answer := rpc.String("FALSE")
	if mask := uint32(c.Int(0)); u.flags.Load()&mask == mask {
		answer = "TRUE"
	}
	c.Add(answer)
	return nil
}

func (u *cfgutils) rpcGetFlags(_ context.Context, c *rpc.Call) error {
	f := u.flags.Load()
	c.Add(rpc.String(fmt.Sprintf("0x%X (%d)", f, f)))
	return nil
}

func (u *cfgutils) rpcGetHash(_ context.Context, c *rpc.Call) error {
	c.Add(rpc.String(u.hash))
	return nil
}

func (u *cfgutils) rpcCheckHash(_ context.Context, c *rpc.Call) error {
	if u.hashFile == "" {
		return rpc.Faultf(500, "No hash file")
	}
	now, err := u.sum()
	switch {
	case err != nil:
		return rpc.Faultf(500, "Failed to hash the file")
	case now == u.hash:
		c.Add(rpc.String("Identical hash"))
	default:
		c.Add(rpc.String("Different hash"))
	}
	return nil
}

// sum is the MD5 sum of hash_file in lower-case hexadecimal digits.
func (u *cfgutils) sum() (string, error) {
	path := u.hashFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(u.host.ConfigPath), path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() { // a FIFO would never end
		return "", fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := md5.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
