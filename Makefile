# Everything a developer or a user types. `make` alone prints this list.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export GOFLAGS := -buildvcs=false
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: help demo test fuzz build tools generate lint terraform bench clean setup

help: ## Print this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## The main job, end to end, on this machine: control plane, KServe, GitHub, controller
	@bin/mlops demo

test: build ## All tests, on a real control plane
	@hack/test.sh

fuzz: ## Every fuzz target for a minute at most; FUZZTIME=10s for less
	@hack/fuzz.sh

build: tools ## Build mlops, mooring-controller and the development control plane into bin/
	@mkdir -p bin
	@echo "building mlops and mooring-controller"
	@go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/mlops ./cmd/mooring-controller

tools: setup
	@hack/build-tools.sh
	@hack/definitions.sh

setup:
	@hack/setup.sh

generate: ## Regenerate deepcopy functions, CRDs, JSON Schemas and RBAC
	@go run -C tools/generate .

lint: ## gofmt, go vet, staticcheck, and whether generated files are fresh
	@hack/lint.sh

terraform: setup ## Check terraform/: format, schema of the AWS provider, tests on a mock of AWS, tflint, checkov
	@hack/terraform.sh

bench: build ## Benchmarks, and the time from a push to the cluster
	@hack/bench.sh

clean: ## Remove what was built
	@rm -rf bin .controlplane test/contract/node_modules
