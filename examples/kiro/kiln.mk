# Written by kiln 0.1.0; body blake3 1403bdfcdb9d0580f43d0d800bd01ab1
# Set values in kiln.toml and run `kiln init`; or edit this file, and kiln leaves it to you.
# make TARGET ARGS="…": more arguments for kiln.

KILN ?= kiln

.PHONY: docker-build docker-build-fast docker-build-dev

# the production images
docker-build:
	$(KILN) build $(ARGS)

# the quickest images after an edit
docker-build-fast:
	$(KILN) build --variant fast $(ARGS)

# images with toolchain and tools, running from source
docker-build-dev:
	$(KILN) build --variant dev $(ARGS)
