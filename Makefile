# sipd: see README.md. Everything here works on a fresh checkout.
#
#   make run     build, make an embedded database if there is none, serve
#   make demo    the whole story, unattended, with real SIP traffic
#   make test    every test; installs or starts what it needs, where it may

SHELL       := /bin/bash
PREFIX      ?= /usr/local
BIN         ?= bin
GO          := $(shell scripts/find-go)
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS     := -s -w -X sipd/router.buildVersion=$(VERSION) -X sipd/ctl/shell.buildVersion=$(VERSION)
export CGO_ENABLED = 0
export GOFLAGS     = -buildvcs=false -trimpath

.PHONY: all build run demo test test-go race bench bench-compare fuzz lint fmt man completion install clean

all: build

build:
	@$(GO) version >/dev/null
	@mkdir -p "$(BIN)"
	$(GO) build -ldflags '$(LDFLAGS)' -o "$(BIN)/" ./cmd/sipd ./cmd/sipctl ./cmd/sipcmd

# RUN is where `make run` keeps its database, sockets and configuration.
RUN ?= run
run: build
	@scripts/run.sh "$(RUN)"

demo: build
	@scripts/demo.sh

test:
	@GO="$(GO)" scripts/test.sh

test-go:
	$(GO) test ./...

race:
	CGO_ENABLED=1 $(GO) test -race ./...

# Go benchmarks, then the comparison with Kamailio where it is installed.
bench: build
	$(GO) test -run '^$$' -bench . -benchmem $(BENCHFLAGS) ./router/... ./rpc/... ./db/...
	@scripts/bench-compare.sh
	@scripts/bench-default.sh
	@scripts/bench-dump.sh

bench-compare: build
	@scripts/bench-compare.sh
	@scripts/bench-default.sh
	@scripts/bench-dump.sh

# FUZZTIME for each target: make fuzz FUZZTIME=10m
FUZZTIME ?= 30s
fuzz:
	@GO="$(GO)" scripts/fuzz.sh $(FUZZTIME)

lint:
	@GO="$(GO)" scripts/lint.sh

fmt:
	@$$($(GO) env GOPATH)/bin/gofumpt -w $$(git ls-files '*.go')

# Manual pages, from the commands themselves.
man: build
	@rm -rf "$(BIN)/man"
	@$(GO) run ./cmd/mkman "$(BIN)/man" "$(VERSION)" "$(BIN)/sipcmd" "$(BIN)/sipd"

# What makes shells complete sipctl; it asks the database for names.
completion: build
	@mkdir -p "$(BIN)/completion"
	@for s in bash zsh fish powershell; do SIPCTL_CONFIG=/dev/null "$(BIN)/sipctl" completion $$s >"$(BIN)/completion/sipctl.$$s" || exit 1; done

# ELDERS= leaves out the links of the elders' names (kamctl, ser_ctl …). A name
# that something else has in that folder is left alone.
ELDERS ?= yes
install: build man completion
	install -d "$(DESTDIR)$(PREFIX)/sbin" "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/doc/sipd" \
		"$(DESTDIR)$(PREFIX)/share/man/man1" "$(DESTDIR)$(PREFIX)/share/man/man7" "$(DESTDIR)$(PREFIX)/share/man/man8" \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions" "$(DESTDIR)$(PREFIX)/share/zsh/site-functions" \
		"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d" "$(DESTDIR)$(PREFIX)/share/sipd"
	install -m 0755 "$(BIN)/sipd" "$(DESTDIR)$(PREFIX)/sbin/sipd"
	install -m 0755 "$(BIN)/sipctl" "$(BIN)/sipcmd" "$(DESTDIR)$(PREFIX)/bin/"
	install -m 0644 README.md LICENSE docs/*.md "$(DESTDIR)$(PREFIX)/share/doc/sipd/"
	for n in 1 7 8; do install -m 0644 "$(BIN)"/man/*.$$n "$(DESTDIR)$(PREFIX)/share/man/man$$n/" || exit 1; done
	install -m 0644 "$(BIN)/completion/sipctl.bash" "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sipctl"
	install -m 0644 "$(BIN)/completion/sipctl.zsh" "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_sipctl"
	install -m 0644 "$(BIN)/completion/sipctl.fish" "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/sipctl.fish"
	install -m 0644 "$(BIN)/completion/sipctl.powershell" "$(DESTDIR)$(PREFIX)/share/sipd/sipctl.ps1"
	@[ -z "$(ELDERS)" ] || SIPCTL_CONFIG=/dev/null "$(BIN)/sipctl" compat install "$(DESTDIR)$(PREFIX)/bin" --programs . \
		|| echo "the other links were made"

clean:
	rm -rf bin run tmp
