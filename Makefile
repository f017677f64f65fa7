# The tasks of a contributor. `make test` needs only Go, if Postgres and RabbitMQ are installed or can be.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
WITH_SERVERS := go run ./internal/test/env/with-servers
FUZZTIME := 30s
LINTER := go tool -modfile=$(CURDIR)/tools/go.mod golangci-lint
RELEASE_TOOL := go tool -modfile=$(CURDIR)/tools/release/go.mod

.DEFAULT_GOAL := help
.PHONY: help sbom plans screenshots build test soak walk mutants fuzz workers chaos failover churn bench growth bench-smoke openapi servers lint fmt

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## build bin/orchestrator, a static binary; the same version gives the same bytes
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o bin/orchestrator ./cmd/orchestrator

sbom: build ## list the modules of the program and their licences, as CycloneDX, in bin/orchestrator.cdx.json
	$(RELEASE_TOOL) cyclonedx-gomod bin -json -licenses -noserial -version $(VERSION) -output bin/orchestrator.cdx.json bin/orchestrator

test: ## run all tests on private servers
	go test -timeout 30m ./internal/test/modelcheck
	go test -timeout 30m -run Simulation ./internal/test/sim
	$(WITH_SERVERS) -- go test -race -timeout 30m ./...

soak: ## simulate a million sagas from a new random seed
	go test -run Simulation -timeout 4h -v ./internal/test/sim -sim.sagas=1000000

walk: ## check every order of events of every saga of up to four steps (about two hours)
	go test -count=1 -timeout 3h -v -run 'TestEveryOrderOfEvents' ./internal/test/modelcheck -walk.full | grep --line-buffered -E 'shapes|altogether|FAIL|ok'

plans: ## check that every read of a million sagas uses an index (about a minute)
	$(WITH_SERVERS) -- go test -count=1 -timeout 30m -v -run TestEveryReadOfLargeTables ./store -plans.sagas=1000000 | grep -E 'pages|FAIL|ok'

mutants: ## plant defects, one at a time, and check that a test finds each (about 15 minutes)
	$(WITH_SERVERS) -- go run ./internal/test/mutants

# go test runs one fuzz target of one package at a time. By default the fuzzer spends up to a minute minimizing each
# interesting input and finds nothing new meanwhile.
fuzz: ## run each fuzz target for FUZZTIME (30s)
	@grep -rlE '^func Fuzz' --include=*_test.go . | xargs -n1 dirname | sort -u | while read -r package; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z]+' $$package/*_test.go | cut -d' ' -f2); do \
			echo "== $$package $$target"; \
			go test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s || exit 1; \
		done; \
	done

workers: ## run the example workers of three languages against 10,000 sagas, with repeated deliveries and kills (about 15 minutes)
	$(WITH_SERVERS) -- go test -count=1 -timeout 60m -v ./internal/test/workers -workers.all -workers.sagas=10000 $(WORKERS) | grep -E 'pass|sagas|deliveries|FAIL|ok'

chaos: ## inject every fault under load and print the recovery times (about 15 minutes)
	$(WITH_SERVERS) -- go test -count 1 -v -timeout 60m ./internal/test/chaos -run TestChaos -chaos.all

failover: ## let Postgres (Patroni, etcd), pgbouncer, a RabbitMQ cluster and versions fail over under load (about 10 minutes)
	$(WITH_SERVERS) -- go test -count 1 -v -timeout 60m ./internal/test/chaos -run TestFailover -chaos.all

churn: ## run sagas with and without retention, CHURN (5m) each, RATE (600) a second, and compare sizes and times
	$(WITH_SERVERS) -- go test -count 1 -v -timeout 8h ./internal/test/chaos -run TestChurn -churn.for $(or $(CHURN),5m) -churn.rate $(or $(RATE),600)

bench: build ## compare with other systems on this machine (about 8 minutes); flags as in BENCH="--rounds 1"
	go build -C bench -o ../bin/bench .
	$(WITH_SERVERS) -- bin/bench $(BENCH)

growth: build ## measure how it scales, into docs/growth (about 20 minutes, 20 GB of disk); flags as in GROWTH="in-flight --rounds 1"
	go build -C bench -o ../bin/bench .
	$(WITH_SERVERS) -- bin/bench growth $(GROWTH)

bench-smoke: ## test the benchmarks briefly, without checking speed
	$(WITH_SERVERS) -- go test -C bench ./...

screenshots: ## take pictures of every view of the page; those of the documentation go to docs/images
	go run ./internal/test/browser/screenshots $(SCREENSHOTS)

openapi: build ## lint the OpenAPI document and compile clients generated from it; needs npm
	internal/test/e2e/openapi/check bin/orchestrator

servers: ## run private servers for single tests in another terminal
	@$(WITH_SERVERS)

lint: ## run the linters; the first run builds them
	$(LINTER) run ./...
	cd bench && $(LINTER) run ./...

fmt: ## format the code
	$(LINTER) fmt ./...
	cd bench && $(LINTER) fmt ./...
