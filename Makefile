# sipd: see README.md. Everything here works on a fresh checkout.
#
#   make run     build, make an embedded database if there is none, serve
#   make demo    the whole story, unattended, with real SIP traffic
#   make test    every test; installs or starts what it needs, where it may

SHELL       := /bin/bash
PREFIX      ?= /usr/local
GO          := $(shell scripts/find-go)
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS     := -s -w -X sipd/router.buildVersion=$(VERSION) -X sipd/ctl/shell.buildVersion=$(VERSION)
export CGO_ENABLED = 0
export GOFLAGS     = -buildvcs=false -trimpath

.PHONY: all build run demo test test-go race bench bench-compare fuzz lint fmt install clean

all: build

build:
	@$(GO) version >/dev/null
	@mkdir -p bin
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/sipd ./cmd/sipctl ./cmd/sipcmd

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

bench-compare: build
	@scripts/bench-compare.sh

# FUZZTIME for each target: make fuzz FUZZTIME=10m
FUZZTIME ?= 30s
fuzz:
	@GO="$(GO)" scripts/fuzz.sh $(FUZZTIME)

lint:
	@GO="$(GO)" scripts/lint.sh

fmt:
	@$$($(GO) env GOPATH)/bin/gofumpt -w $$(git ls-files '*.go')

# The elders' names are symbolic links: called by them, the programs take
# their elders' syntax.
install: build
	install -d "$(DESTDIR)$(PREFIX)/sbin" "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/doc/sipd"
	install -m 0755 bin/sipd "$(DESTDIR)$(PREFIX)/sbin/sipd"
	install -m 0755 bin/sipctl bin/sipcmd "$(DESTDIR)$(PREFIX)/bin/"
	install -m 0644 README.md LICENSE docs/*.md "$(DESTDIR)$(PREFIX)/share/doc/sipd/"

clean:
	rm -rf bin run tmp
