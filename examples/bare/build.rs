//! How the program is linked: by its own script, with nothing of the host's.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/boot.ld");
    println!("cargo:rerun-if-changed={script}");
    for arg in ["-nostartfiles", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"] {
        println!("cargo:rustc-link-arg-bins={arg}");
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{script}");
}
