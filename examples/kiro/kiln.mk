# Written by kiln 0.1.0; body blake3 3ccfe42c556c534d6538cf54df84ffe7
# Set values in kiln.toml and run `kiln init`; or edit this file, and kiln leaves it to you.
# make TARGET ARGS="…": more arguments for kiln.

KILN ?= kiln

.PHONY: docker-build docker-build-fast docker-build-dev test-build-perf test-build-full

# the production images
docker-build:
	$(KILN) build $(ARGS)

# the quickest images after an edit
docker-build-fast:
	$(KILN) build --variant fast $(ARGS)

# images with toolchain and tools, running from source
docker-build-dev:
	$(KILN) build --variant dev $(ARGS)

# what usual changes cost, in a copy with caches of its own; some minutes
test-build-perf:
	$(KILN) bench --quick $(ARGS)

# all changes against all other ways to build; some hours
test-build-full:
	$(KILN) bench --full $(ARGS)
