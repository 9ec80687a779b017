//! Benches against peers; run them from this folder: `cargo bench --bench sync` or `--bench spawn`.
