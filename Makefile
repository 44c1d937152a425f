# Needs Go; everything else is fetched, in the version that stands here.
SHELL := bash
.SHELLFLAGS := -o pipefail -ec
.DEFAULT_GOAL := test

STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := go run golang.org/x/vuln/cmd/govulncheck@v1.9.0

# Modules of their own, whose dependencies nobody gets who imports this one.
MODULES := mockcontainer internal/tools examples/client examples/replicas examples/container

FUZZTIME ?= 10s
SEEDS ?= 20

# What a verbose test tells, without a line for each of thousands of subtests;
# a name that no test has is a failure.
TOLD = awk '/no tests to run/ { none = 1 } !/^ *(=== |--- PASS)/ { print } END { exit none }'

.PHONY: build test race vet fmt fmt-check lint vuln bench fuzz hostile journal corpus record pseudonyms canaries kills docker demo modules image release update ci

build: ## every package, and the two commands into dist/
	go build ./...
	go build -o dist/ ./cmd/...

test: ## the README's test command
	go test ./...

# The race detector looks for meetings, which more of the same runs do not bring
# about: the suite is run by other tests than those of every drift and mutant,
# and a thousand hostile requests do.
race:
	MOCKFHIR_HOSTILE=1000 go test -race -skip '^(TestCorpus|TestMore|TestEachCheckHasAMutant)$$' -timeout 20m ./...

vet:
	go vet ./...

fmt:
	gofmt -w .

fmt-check:
	@files=$$(gofmt -l .); test -z "$$files" || { echo "not as gofmt writes them:"; echo "$$files"; exit 1; }

lint:
	$(STATICCHECK) ./...
	for module in $(MODULES); do (cd $$module && $(STATICCHECK) ./...) || exit 1; done

vuln: ## asks vuln.go.dev
	$(GOVULNCHECK) ./...

bench: ## each benchmark once, shortly; the ratios of issue #2 are metrics of mockserver's
	go test -run '^$$' -bench . -benchtime 200ms ./...

fuzz: ## each fuzz target for FUZZTIME
	@for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$pkg/*_test.go | cut -c6-); do \
			echo "go test -run '^$$' -fuzz '^$$target$$' -fuzztime $(FUZZTIME) $$pkg"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

hostile: ## 100,000 hostile requests against the mock
	MOCKFHIR_HOSTILE=100000 go test -v -timeout 20m -run TestHostileRequests ./internal/hostile | $(TOLD)

journal: ## a million calls, after which the journal is at its bound and the process below 64 MB
	MOCKFHIR_JOURNAL=1000000 go test -v -timeout 20m -run TestJournalIsBounded ./mockserver | $(TOLD)

corpus: ## the corpus of drifts on 20 generated directories; prints the table of verdicts
	MOCKFHIR_CORPUS_SEEDS=20 go test -v -timeout 25m -run TestCorpus ./internal/drift | $(TOLD)

record: pseudonyms canaries kills ## all that is promised of recordings

pseudonyms: ## a million of each kind
	MOCKFHIR_HEAVY=1 go test -v -timeout 20m -run Million ./internal/redact | $(TOLD)

canaries: ## ten thousand people in each of SEEDS directories
	MOCKFHIR_HEAVY=$(SEEDS) go test -v -timeout 60m -run Canar ./internal/cli | $(TOLD)

kills: ## a recording killed at every step, and 60 times at random
	MOCKFHIR_HEAVY=1 go test -v -timeout 20m -run Killed ./internal/record | $(TOLD)

docker: ## what needs a container engine; a test that misses it fails instead of skipping
	cd examples/container && MOCKFHIR_DOCKER=required TESTCONTAINERS_RYUK_DISABLED=true go test -count=1 -v -timeout 30m ./... | $(TOLD)

modules: ## vet and test the modules below this one; those that need an engine skip without it
	for module in $(MODULES); do (cd $$module && go vet ./... && go test -count=1 -timeout 30m ./...) || exit 1; done
	go run ./cmd/mockfhir exec -- go test -C examples/client -count=1 ./...

image: ## the image of the Dockerfile without an engine, as dist/mockfhir-image.tar
	go run -C internal/tools ./image

release: ## archives for every platform, checksums, bill of materials: dist/release
	go run -C internal/tools ./release

demo: ## walks through the page at the root in chromium; skips without one unless MOCKFHIR_CHROMIUM=required
	cd internal/console/walk && go vet ./... && go test -v -timeout 15m ./... | $(TOLD)

update: ## rewrite golden files and generated pages; the directory first, which others embed
	go test ./internal/synth -update
	go test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n1 dirname | sort -u) -update

ci:
	.ci/run
