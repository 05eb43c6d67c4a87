// Package modules is the list of modules that the daemon is built with. A new
// module is one line here; its folder says the rest.
package modules

import (
	"sipd/router/module"
	"sipd/router/modules/common/cfg_db"
	"sipd/router/modules/common/cfg_rpc"
	"sipd/router/modules/common/corex"
	"sipd/router/modules/common/counters"
	"sipd/router/modules/common/ctl"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/common/db_text"
	"sipd/router/modules/common/jsonrpcs"
	"sipd/router/modules/common/mi_rpc"
	"sipd/router/modules/common/sanity"
	"sipd/router/modules/common/sl"
	"sipd/router/modules/common/textopsx"
	"sipd/router/modules/common/tls"
	"sipd/router/modules/common/tm"
	"sipd/router/modules/common/xhttp"
	"sipd/router/modules/common/xmlrpc"
	"sipd/router/modules/kamailio/acc"
	"sipd/router/modules/kamailio/alias_db"
	"sipd/router/modules/kamailio/auth"
	"sipd/router/modules/kamailio/auth_db"
	"sipd/router/modules/kamailio/avpops"
	"sipd/router/modules/kamailio/cfgutils"
	"sipd/router/modules/kamailio/debugger"
	"sipd/router/modules/kamailio/dialog"
	"sipd/router/modules/kamailio/dispatcher"
	"sipd/router/modules/kamailio/domain"
	"sipd/router/modules/kamailio/group"
	"sipd/router/modules/kamailio/htable"
	"sipd/router/modules/kamailio/kex"
	"sipd/router/modules/kamailio/maxfwd"
	"sipd/router/modules/kamailio/mi_datagram"
	"sipd/router/modules/kamailio/mi_fifo"
	"sipd/router/modules/kamailio/mtree"
	"sipd/router/modules/kamailio/nathelper"
	"sipd/router/modules/kamailio/permissions"
	"sipd/router/modules/kamailio/pike"
	"sipd/router/modules/kamailio/presence"
	"sipd/router/modules/kamailio/presence_xml"
	"sipd/router/modules/kamailio/pv"
	"sipd/router/modules/kamailio/regex"
	"sipd/router/modules/kamailio/registrar"
	"sipd/router/modules/kamailio/rr"
	"sipd/router/modules/kamailio/rtpengine"
	"sipd/router/modules/kamailio/rtpproxy"
	"sipd/router/modules/kamailio/siputils"
	"sipd/router/modules/kamailio/speeddial"
	"sipd/router/modules/kamailio/statistics"
	"sipd/router/modules/kamailio/textops"
	"sipd/router/modules/kamailio/tmx"
	"sipd/router/modules/kamailio/uri_db"
	"sipd/router/modules/kamailio/usrloc"
	"sipd/router/modules/kamailio/xlog"
	"sipd/router/modules/ser/fifo"
)

// List answers a fresh copy of the list: every module by its name in
// loadmodule, with the folder of the merged project that it stands for.
func List() []module.Available {
	return []module.Available{
		{Name: "acc", Flavour: module.Kamailio, New: acc.New},
		{Name: "alias_db", Flavour: module.Kamailio, New: aliasdb.New},
		{Name: "auth", Flavour: module.Kamailio, New: auth.New},
		{Name: "auth_db", Flavour: module.Kamailio, New: authdb.New},
		{Name: "avpops", Flavour: module.Kamailio, New: avpops.New},
		{Name: "cfg_db", Flavour: module.Common, New: cfgdb.New},
		{Name: "cfg_rpc", Flavour: module.Common, New: cfgrpc.New},
		{Name: "cfgutils", Flavour: module.Kamailio, New: cfgutils.New},
		{Name: "corex", Flavour: module.Common, New: corex.New},
		{Name: "counters", Flavour: module.Common, New: counters.New},
		{Name: "ctl", Flavour: module.Common, New: ctl.New},
		{Name: "db_mysql", Flavour: module.Common, New: dbmysql.New},
		{Name: "db_postgres", Flavour: module.Common, New: dbpostgres.New},
		{Name: "db_sqlite", Flavour: module.Common, New: dbsqlite.New},
		{Name: "db_text", Flavour: module.Common, New: dbtext.New},
		{Name: "debugger", Flavour: module.Kamailio, New: debugger.New},
		{Name: "dialog", Flavour: module.Kamailio, New: dialog.New},
		{Name: "dispatcher", Flavour: module.Kamailio, New: dispatcher.New},
		{Name: "domain", Flavour: module.Kamailio, New: domain.New},
		{Name: "fifo", Flavour: module.SER, New: fifo.New},
		{Name: "group", Flavour: module.Kamailio, New: group.New},
		{Name: "htable", Flavour: module.Kamailio, New: htable.New},
		{Name: "jsonrpcs", Flavour: module.Common, New: jsonrpcs.New},
		{Name: "kex", Flavour: module.Kamailio, New: kex.New},
		{Name: "maxfwd", Flavour: module.Kamailio, New: maxfwd.New},
		{Name: "mi_datagram", Flavour: module.Kamailio, New: midatagram.New},
		{Name: "mi_fifo", Flavour: module.Kamailio, New: mififo.New},
		{Name: "mi_rpc", Flavour: module.Common, New: mirpc.New},
		{Name: "mtree", Flavour: module.Kamailio, New: mtree.New},
		{Name: "mysql", Flavour: module.Common, New: dbmysql.NewMySQL},
		{Name: "nathelper", Flavour: module.Kamailio, New: nathelper.New},
		{Name: "permissions", Flavour: module.Kamailio, New: permissions.New},
		{Name: "pike", Flavour: module.Kamailio, New: pike.New},
		{Name: "presence", Flavour: module.Kamailio, New: presence.New},
		{Name: "presence_xml", Flavour: module.Kamailio, New: presencexml.New},
		{Name: "pv", Flavour: module.Kamailio, New: pv.New},
		{Name: "regex", Flavour: module.Kamailio, New: regex.New},
		{Name: "registrar", Flavour: module.Kamailio, New: registrar.New},
		{Name: "rr", Flavour: module.Kamailio, New: rr.New},
		{Name: "rtpengine", Flavour: module.Kamailio, New: rtpengine.New},
		{Name: "rtpproxy", Flavour: module.Kamailio, New: rtpproxy.New},
		{Name: "sanity", Flavour: module.Common, New: sanity.New},
		{Name: "siputils", Flavour: module.Kamailio, New: siputils.New},
		{Name: "sl", Flavour: module.Common, New: sl.New},
		{Name: "speeddial", Flavour: module.Kamailio, New: speeddial.New},
		{Name: "statistics", Flavour: module.Kamailio, New: statistics.New},
		{Name: "textops", Flavour: module.Kamailio, New: textops.New},
		{Name: "textopsx", Flavour: module.Common, New: textopsx.New},
		{Name: "tls", Flavour: module.Common, New: tls.New},
		{Name: "tm", Flavour: module.Common, New: tm.New},
		{Name: "tmx", Flavour: module.Kamailio, New: tmx.New},
		{Name: "uri_db", Flavour: module.Kamailio, New: uridb.New},
		{Name: "usrloc", Flavour: module.Kamailio, New: usrloc.New},
		{Name: "xhttp", Flavour: module.Common, New: xhttp.New},
		{Name: "xlog", Flavour: module.Kamailio, New: xlog.New},
		{Name: "xmlrpc", Flavour: module.Common, New: xmlrpc.New},
	}
}
