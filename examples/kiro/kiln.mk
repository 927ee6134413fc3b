# Written by kiln 0.1.0; body blake3 02228b9a13b669f2db135e3769439e12
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

# makes what builds need beforehand: base images, stages, cache mounts
warm-cache:
	$(KILN) warm $(ARGS)

# cleans what is stale, follows base images that moved, and warms again
refresh-cache:
	$(KILN) refresh $(ARGS)

# forgets what no build of this project can use any more
clean-cache:
	$(KILN) clean $(ARGS)

# what is cached, how big it is, and when the engine will take it
cache-status:
	$(KILN) status $(ARGS)

# what usual changes cost, in a copy with caches of its own; some minutes
test-build-perf:
	$(KILN) bench --quick $(ARGS)

# all changes against all other ways to build; some hours
test-build-full:
	$(KILN) bench --full $(ARGS)

# query data, so that builds need no database
prepare-sqlx:
	$(KILN) sqlx prepare $(ARGS)
