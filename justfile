# The one entrance to everything that is run here. `just` lists it; CI calls these recipes. The gate itself
# is `.ci/run`, which needs neither `just` nor anything else that is not in the tree.

# List the recipes.
default:
    @just --list --unsorted

# Run the gate: formatting, dependencies, lints, tests.
check:
    .ci/run

# Format the code.
fmt:
    cargo fmt --all

# Check formatting, lints and dependencies.
lint:
    .ci/run fmt deny lint

# Run the tests: all of them, or those whose name contains `filter`.
test filter="":
    cargo test --locked --workspace {{ filter }}

# Print what the house rules count; with `HOUSE_UPDATE=1` write the counts as the new bounds.
house:
    cargo test --locked -p sidestep-tests house -- --nocapture

# Look for misspelt words. Needs `typos`.
words:
    typos

# Check the dependencies against published advisories. Needs the network.
advisories:
    .ci/run advisories

# Run a benchmark: chain, growth, load or planner.
bench name="chain":
    cargo bench --locked -p sidestep-tests --bench {{ name }}

# Build the API documentation; a broken link is an error.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

# Fuzz one target: definition, event, selector or expression.
fuzz target="definition" seconds="60":
    fuzz/run {{ target }} {{ seconds }}

# Simulate whole executions under faults, from a first seed on.
sim seeds="10000" from="0":
    cargo run --locked -p sidestep-testkit --release -- sweep --seeds {{ seeds }} --from {{ from }}

# Kill the command and its functions at random moments.
kill rounds="20" seed="0":
    cargo build --locked -p sidestep-cli
    cargo run --locked -p sidestep-cli --example kill -- --rounds {{ rounds }} --seed {{ seed }}

# Build the command as it is released.
release:
    cargo build --locked --release -p sidestep-cli

# Write NOTICE: the crates in the programs of a release, with their licences.
notice:
    infra/notice

# Build a release: the command, with planner and trigger for Lambda beside it. Needs cargo-lambda.
dist:
    infra/dist
