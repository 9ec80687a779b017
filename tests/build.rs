//! Compiles the C bodies of `c/`.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn run(command: &mut Command) {
    let status =
        command.status().unwrap_or_else(|error| panic!("{command:?}: {error}; is there a C compiler?"));
    assert!(status.success(), "{command:?}: {status}");
}

fn main() {
    println!("cargo::rerun-if-changed=c/queue.c");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let object = out.join("queue.o");
    run(Command::new(compiler)
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-c", "c/queue.c", "-o"])
        .arg(&object));
    run(Command::new("ar").arg("crs").arg(out.join("libunboxed_c_queue.a")).arg(&object));
    println!("cargo::rustc-link-search=native={}", out.display());
}
