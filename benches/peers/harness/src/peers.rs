//! Who is compared.

/// Where a program comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A package of `../programs`, and the crate whose version it stands for.
    Rust { package: &'static str, krate: Option<&'static str> },
    /// A C file of `../programs`, and the library that it links.
    C { file: &'static str, library: &'static str },
    /// One of the project's own examples.
    Example(&'static str),
    /// An installed program.
    Installed(&'static str),
}

/// What a peer stands for: rows are won or lost against runtimes; bare loops show what is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Ours,
    Runtime,
    Bare,
}

/// One of those who are compared.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub name: &'static str,
    pub what: &'static str,
    pub source: Source,
    pub standing: Standing,
    /// Arguments of all its workloads.
    pub values: &'static [&'static str],
    /// Threads of its own beyond one, so it is not bound to one processor where it only computes.
    pub threads: bool,
}

const fn rust(name: &'static str, what: &'static str, package: &'static str) -> Peer {
    let source = Source::Rust { package, krate: Some(name) };
    Peer { name, what, source, standing: Standing::Runtime, values: &[], threads: false }
}

const fn c(name: &'static str, what: &'static str, file: &'static str, standing: Standing) -> Peer {
    Peer { name, what, source: Source::C { file, library: name }, standing, values: &[], threads: false }
}

/// All of them; ours first.
pub static ALL: &[Peer] = &[
    Peer { standing: Standing::Ours, ..rust("unboxed", "this project, one thread", "peer-unboxed") },
    Peer { values: &["flavour=current"], ..rust("tokio", "current-thread flavour, epoll", "peer-tokio") },
    Peer {
        source: Source::Rust { package: "peer-tokio", krate: Some("tokio") },
        values: &["flavour=multi", "workers=2"],
        threads: true,
        ..rust("tokio-multi", "multi-thread flavour with two workers", "peer-tokio")
    },
    rust("tokio-uring", "tokio's current thread with a ring", "peer-tokio-uring"),
    rust("monoio", "a ring, one thread; yields by way of a second task, as it has no yield", "peer-monoio"),
    rust("glommio", "three rings, one executor", "peer-glommio"),
    rust("compio", "a ring, one thread", "peer-compio"),
    rust("async-executor", "a leaked local executor, with async-io and blocking", "peer-async-executor"),
    rust("embassy-executor", "static tasks on a thread of the standard library", "peer-embassy-executor"),
    Peer {
        name: "ring",
        what: "bare loop on the io-uring crate",
        source: Source::Rust { package: "peer-ring", krate: Some("io-uring") },
        standing: Standing::Bare,
        values: &[],
        threads: false,
    },
    Peer {
        source: Source::Rust { package: "peer-epoll", krate: None },
        standing: Standing::Bare,
        ..rust("epoll", "bare loop on epoll", "peer-epoll")
    },
    c("liburing", "bare loop in C on liburing", "c/liburing.c", Standing::Bare),
    c("libuv", "in C; it has callbacks and no tasks", "c/libuv.c", Standing::Runtime),
    Peer {
        name: "kv",
        what: "examples/kv, the service of this project",
        source: Source::Example("kv"),
        standing: Standing::Ours,
        values: &[],
        threads: false,
    },
    Peer {
        name: "redis-server",
        what: "the installed redis-server, one thread, nothing saved",
        source: Source::Installed("redis-server"),
        standing: Standing::Runtime,
        values: &[],
        threads: false,
    },
];
