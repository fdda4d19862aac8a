# Settable
VERSION ?= $(shell git describe --tags --always 2>/dev/null || echo dev)
FUZZTIME ?= 20s

BIN := $(CURDIR)/bin
export PATH := $(BIN):$(PATH)
MODULES := . gen tests

.PHONY: run build test test-clones test-brokers lint tools protodeps generate contracts fuzz bench bench-short bench-growth bench-diff soak profile bench-go clean

run: build ## build and start the whole mesh on embedded stores
	$(BIN)/gptmesh up

build: ## leave the program in bin/gptmesh
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN)/gptmesh ./cmd/gptmesh

# Training is the arithmetic of one goroutine, which the race detector makes ten
# times as long: of the learner it watches what runs side by side.
test: build ## every test, on a throw-away PostgreSQL
	@mkdir -p $(BIN)
	go build -o $(BIN)/pgtestd ./pkg/pgtest/cmd/pgtestd
	$(BIN)/pgtestd -- go test -race -vet=off $$(go list ./cmd/... ./gateway/... ./pkg/... ./services/... ./wire/... ./gen/... | grep -v '/classifier/learn$$')
	go test -vet=off ./services/classifier/learn
	go test -race -vet=off -run Concurrently ./services/classifier/learn
	$(BIN)/pgtestd -- go test -vet=off -tags meshclone $(CLONED)
	GPTMESH_BIN=$(BIN)/gptmesh $(BIN)/pgtestd -- go test -vet=off -count=1 -timeout 15m -parallel 4 ./tests/...

# Built so, local calls clone what they hand over, and memory is spoiled when it is given
# back. What runs side by side is watched by the first run of the tests already.
CLONED := ./gen/caller ./pkg/sqlite ./services/session ./services/response ./services/request ./services/gpt ./gateway/...

test-clones: build ## the tests of who owns what, under the race detector too
	go build -o $(BIN)/pgtestd ./pkg/pgtest/cmd/pgtestd
	$(BIN)/pgtestd -- go test -race -vet=off -tags meshclone $(CLONED)

test-brokers: build ## the whole suite of every event driver; needs a RabbitMQ on this machine
	GPTMESH_TEST_BROKERS=all go test -race -count=1 -timeout 10m ./tests/brokers/...

lint: $(BIN)/.lint ## vet, staticcheck, formatting
	go vet work
	staticcheck work
	@test -z "$$(git ls-files '*.go' ':!gen/go' | xargs gofmt -l | tee /dev/stderr)"

# One module per tool family: buf pins other versions than the plugins do.
tools: $(BIN)/.buf $(BIN)/.proto
$(BIN)/.%: tools/%/go.mod tools/%/go.sum
	@mkdir -p $(BIN)
	GOWORK=off GOBIN=$(BIN) go -C tools/$* install tool
	@touch $@
$(BIN)/.proto: $(wildcard tools/proto/*/*.go)

protodeps: .protodeps/.stamp
.protodeps/.stamp: tools/proto/go.mod tools/proto/go.sum tools/proto/protodeps/main.go
	GOWORK=off go -C tools/proto run ./protodeps ../../.protodeps
	@touch $@

generate: tools protodeps ## write gen/ from the contracts
	buf format -w proto
	buf generate

contracts: tools protodeps ## lint, breaking changes, generated code current
	buf format -d --exit-code proto
	buf lint
	scripts/breaking.sh
	scripts/gen-check.sh

fuzz: ## every fuzz test for FUZZTIME each
	@for pkg in $$(go list ./pkg/... ./wire/... ./gateway/... ./services/...); do \
		for name in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "== $$pkg $$name"; go test -run xxx -fuzz "^$$name$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

BENCH = go run ./tests/load -gptmesh $(BIN)/gptmesh
bench: bench-build ## the mesh beside the standard reverse proxy: sizes, connections, streams, sessions, both stores, one process and split
	$(BENCH) -rounds 3 -all -vitals
	$(BENCH) -rounds 2 -duration 2s -only 4KB -sessions
	$(BENCH) -rounds 2 -duration 2s -postgres
	$(BENCH) -rounds 2 -duration 2s -shape lean
	$(BENCH) -rounds 2 -duration 2s -shape lean -thin
	$(BENCH) -rounds 2 -duration 2s -shape full
	$(BENCH) -rounds 2 -duration 2s -shape lean -only x64 -postgres
	$(BENCH) -rounds 2 -duration 2s -shape full -only x64 -postgres

bench-short: bench-build ## the scenarios of the bars, a few seconds each
	$(BENCH) -rounds 3 -duration 2s -vitals

.PHONY: bench-build
bench-build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(BIN)/gptmesh ./cmd/gptmesh

SOAKTIME ?= 10m
soak: ## mixed load for SOAKTIME; fails where memory, goroutines or files grow
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/gptmesh ./cmd/gptmesh
	go run ./tests/load -gptmesh $(BIN)/gptmesh -soak $(SOAKTIME)

ROWS ?= 1000000
bench-growth: bench-build ## what a turn costs when cores, sessions, rows (up to ROWS), keys and providers grow; rows on PostgreSQL too
	$(BENCH) -rounds 3 -duration 2s -growth all -rows $(ROWS)
	$(BENCH) -rounds 3 -duration 2s -growth rows,sessions -rows $(ROWS) -postgres

BEFORE ?= origin/main
bench-diff: ## Go benchmarks of this tree beside those of the commit BEFORE, by turns
	@scripts/bench-diff.sh $(BEFORE) $(HOT)
# Faces, events, streams, hops, interceptors, validation, commits, tokens.
HOT := ./gen/... ./pkg/eventstream ./pkg/groupcommit ./pkg/jsonscan ./pkg/rpc ./pkg/sqlite ./pkg/upstream ./wire/openai ./gateway/openai \
	./services/response/internal/... ./services/gpt/internal/tokens ./services/gpt/provider/openai

profile: ## a CPU profile of each scenario, in bin/profiles
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/gptmesh ./cmd/gptmesh
	@mkdir -p $(BIN)/profiles
	go run ./tests/load -gptmesh $(BIN)/gptmesh -profiles $(BIN)/profiles

bench-go: ## Go benchmarks of the hot paths
	go test -run xxx -bench . -benchmem ./gen/caller/... ./pkg/... ./wire/... ./gateway/... ./services/...

clean:
	rm -rf $(BIN) .protodeps

CLASSIFIER_DATA ?=
.PHONY: classifier-model
classifier-model: ## train the default model; CLASSIFIER_DATA=folder of the public data
	go run ./services/classifier/builtin/build -data "$(CLASSIFIER_DATA)"

.PHONY: classifier-gates
classifier-gates: ## measure the classifier's heads against their bars; CLASSIFIER_DATA=folder of labelled data
	go run ./services/classifier/builtin/gates -data "$(CLASSIFIER_DATA)"

.PHONY: compat
compat: build ## client libraries of Node against the mesh; writes docs/compatibility.md
	npm ci --prefix tests/compat/node
	GPTMESH_BIN=$(BIN)/gptmesh node tests/compat/node/run.js

CHAOSTIME ?= 3m
.PHONY: chaos
chaos: build ## kill, cut and crash under 200 concurrent turns for CHAOSTIME, and count what is lost
	GPTMESH_BIN=$(BIN)/gptmesh go test -count=1 -timeout 40m -v ./tests/chaos -chaos.long -chaos.for $(CHAOSTIME)
