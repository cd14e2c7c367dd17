# `just` lists the recipes. CI calls .ci/run, which calls these same scripts.

# All tests, Rust and Python, one line each with counts
test:
    ./test

# What CI runs, from a clean clone
ci:
    bash .ci/run

# Formatting and lints, warnings as errors
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# Write docs/config.md and the JSON Schemas anew
docs:
    cargo run --quiet --locked -- config reference > docs/config.md
    cargo run --quiet --locked -- config schema > config/schema/soflow.schema.json
    cargo run --quiet --locked -- config schema job > config/schema/job.schema.json

# Score the sentiment labels on a labelled file: macro-F1 and recall per class as JSON
sentiment-gold FILE:
    cargo run --quiet --locked -- engine python -m soflow_jobs.gold {{FILE}}

# Learn the sentiment model anew from a labelled file; prints its measures by cross-validation (needs python3.11)
sentiment-train FILE:
    bash training/train.sh {{FILE}}

# Build the program that Lambda functions run, for arm64 or x86_64, without Docker
lambda ARCHITECTURE="arm64":
    bash lambda/build.sh {{ARCHITECTURE}}

# Make what is released, for x86_64 and arm64 Linux: archives, checksums, components
release *ARCHITECTURES:
    release/archives.sh {{ARCHITECTURES}}

# Pin the engines' packages anew (needs uv)
relock:
    bash engine/relock.sh

# Measure start-up, planning, Sail against Spark, and growth; prints the tables of docs/performance.md
bench *ARGS:
    python3 benches/run.py {{ARGS}}
