# Written by kiln 0.1.0; body blake3 2d4d2641a675fb1183b3c705a91bcf60
# Set values in kiln.toml and run `kiln init`; or edit this file, and kiln leaves it to you.
# make TARGET ARGS="…": more arguments for kiln.

KILN ?= kiln

.PHONY: docker-build docker-build-fast docker-build-dev warm-cache refresh-cache clean-cache cache-status test-build-perf test-build-full prepare-sqlx

# the production images
docker-build:
	$(KILN) build $(ARGS)

# the quickest images after an edit
docker-build-fast:
	$(KILN) build --variant fast $(ARGS)

# images with toolchain and tools, running from source
docker-build-dev:
	$(KILN) build --variant dev $(ARGS)

# build, pull and mount what the next build needs
warm-cache:
	$(KILN) warm $(ARGS)

# throw away what is stale, and warm again
refresh-cache:
	$(KILN) refresh $(ARGS)

# remove this project's cache and nothing else
clean-cache:
	$(KILN) clean $(ARGS)

# what is cached, how big and how old
cache-status:
	$(KILN) status $(ARGS)

# measure what an edit costs
test-build-perf:
	$(KILN) bench --quick $(ARGS)

# measure every scenario
test-build-full:
	$(KILN) bench --full $(ARGS)

# bring SQLx' query data up to date
prepare-sqlx:
	$(KILN) sqlx prepare $(ARGS)
