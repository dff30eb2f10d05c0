# The operator's image: one static binary and nothing else. `docker build .` on any machine, for any of the platforms
# that .github/workflows/release.yml names. Where no base image can be pulled, `cargo xtask image` builds the binary on
# the machine itself and makes the image from the last stage below.

# The build runs on the builder's own platform and compiles for the other one: no emulation.
FROM --platform=$BUILDPLATFORM docker.io/library/rust:1.95-alpine AS build
ARG TARGETARCH
RUN apk add --no-cache clang lld musl-dev
WORKDIR /src
COPY . .
# ring compiles C and assembler without a C library, so clang serves every target; rustc brings its own musl.
ENV CC=clang \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld \
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=target-$TARGETARCH \
    case "$TARGETARCH" in \
        amd64) target=x86_64-unknown-linux-musl ;; \
        arm64) target=aarch64-unknown-linux-musl ;; \
        *) echo "there is no build for $TARGETARCH; use amd64 or arm64" >&2; exit 1 ;; \
    esac \
    && rustup target add "$target" \
    && cargo build --locked --release --target "$target" --package memcached-operator --bin memcached-operator \
    && install -D "target/$target/release/memcached-operator" /out/memcached-operator

# No shell, no libraries, no user database: the numeric user is what `runAsNonRoot` can check. Nothing is written, so the
# root may be read-only. Certificates are not needed: the service account brings the cluster's own.
FROM scratch
COPY --from=build /out/memcached-operator /memcached-operator
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/memcached-operator"]
