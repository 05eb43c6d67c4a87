package router

import (
	"path/filepath"

	"sipd/rpc/socket"
)

// openGuard reads who may call over the control wires. Files are looked for in
// the configuration's folder.
func (r *Router) openGuard() (*socket.Guard, error) {
	file := func(setting string) string {
		name := r.conf.Str(setting)
		if name == "" || filepath.IsAbs(name) || r.opt.Config == "-" {
			return name
		}
		return filepath.Join(filepath.Dir(r.opt.Config), name)
	}
	return socket.NewGuard(socket.Files{
		Credentials: file("rpc_credentials"), Certificate: file("rpc_certificate"),
		Key: file("rpc_private_key"), CA: file("rpc_ca_list"),
	})
}
