package dbtext

import (
	"strings"
	"testing"

	"sipd/router/dbx"
	"sipd/router/module/moduletest"
)

func TestLoadsAndRefuses(t *testing.T) {
	r := moduletest.New(t, New())
	for _, name := range []string{"db_mode", "emptystring", "file_buffer_size", "max_result_rows"} {
		r.Param("db_text", name, 1)
	}
	r.Param("db_text", "db_delim", "|").Start()
	if !strings.Contains(r.Log(), "level=WARN") {
		t.Errorf("log %q", r.Log())
	}
	if _, err := dbx.Open(t.Context(), &r.Host, "text:///etc/kamailio"); err == nil || !strings.Contains(err.Error(), "sipctl db create") {
		t.Errorf("text://: %v", err)
	}
	if err := moduletest.New(t, New()).Param("db_text", "default_connection", "/x").TryStart(); err == nil || !strings.Contains(err.Error(), "db_sqlite.so") {
		t.Errorf("default_connection: %v", err)
	}
}
