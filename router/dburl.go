package router

import (
	"slices"
	"strings"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/script"
)

// dbParam is the parameter by which modules name their database.
const dbParam = "db_url"

// redirect makes every db_url of a configuration name another database
// (--db-url), and loads its driver where the configuration does not.
func redirect(file *script.File, url string, pos script.Pos) error {
	driver, err := dbx.DriverOf(url)
	if err != nil {
		return err
	}
	loaded := false
	for _, it := range file.Items {
		switch it := it.(type) {
		case *script.ModParam:
			if it.Param == dbParam {
				it.Value = script.Const{Pos: it.Value.Pos, Kind: script.ConstStr, Str: url}
			}
		case *script.LoadModule:
			loaded = loaded || module.BaseName(it.Path) == driver
		}
	}
	if !loaded {
		file.Items = slices.Insert(file.Items, 0, script.Item(&script.LoadModule{Pos: pos, Path: driver, PathPos: pos}))
	}
	return nil
}

// redirectDefaults does so for modules that have a database without naming it.
func redirectDefaults(set *module.Set, url string) error {
	for i := range set.Loaded() {
		l := &set.Loaded()[i]
		for j := range l.Exports.Params {
			p := &l.Exports.Params[j]
			s, ok := p.Value.(*string)
			if p.Name != dbParam || !ok || l.ParamsSet[dbParam] || strings.TrimSpace(*s) == "" {
				continue
			}
			if err := p.Set(run.Str(url)); err != nil {
				return err
			}
		}
	}
	return nil
}
