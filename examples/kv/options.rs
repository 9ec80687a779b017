//! The command line, and the memory map.

use crate::server;
use std::str::FromStr;
use unboxed::rt::RuntimeCell;
use unboxed_examples::Args;
use unboxed_kv::store::CELL_BYTES;

const USAGE: &str = "\
A Redis-protocol server in fixed memory.

usage: kv [--port PORT] [--bytes SIZE] [--connections N] [--timeout SECONDS] [--threads N]
          [--stats FILE] [--memory]

  --port PORT         listens on 127.0.0.1:PORT (default 6379; 0 lets the system choose)
  --bytes SIZE        memory for keys, values and what is in flight: 64M, 1G, 100000 (default 64M)
  --connections N     connections at the same time, at most 1000 (default 256)
  --timeout SECONDS   closes connections that are idle for so long (default 0: never)
  --threads N         worker threads with a ring each, at most 16 (default 1; 0 is one for each processor)
  --stats FILE        keeps what the workers count in FILE, four times a second, for `top FILE`
  --memory            prints where the memory goes, and ends
  --forbid-allocation aborts at the first heap allocation after `ready`: for tests
  --help              prints this";

/// As many as `--threads` can ask for.
const THREADS: usize = 16;

/// The memory of the runtime.
pub static RUNTIME: RuntimeCell<1024, THREADS> = RuntimeCell::new();

/// What was asked for.
#[derive(Debug)]
pub struct Options {
    pub port: u16,
    pub bytes: usize,
    pub connections: usize,
    pub timeout: u64,
    pub threads: usize,
    pub stats: String,
    pub memory: bool,
    pub forbid_allocation: bool,
}

/// Bytes, with a suffix or without.
struct Size(usize);

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match text[number.len()..].to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1 << 10,
            "m" | "mb" => 1 << 20,
            "g" | "gb" => 1 << 30,
            _ => return Err("a size is a number, perhaps with K, M or G behind it"),
        };
        let number: usize =
            number.parse().map_err(|_| "a size is a number, perhaps with K, M or G behind it")?;
        number.checked_mul(unit).map(Self).ok_or("the size is too large for this machine")
    }
}

impl Options {
    /// The process's. A mistake ends it with a message.
    pub fn parse() -> Self {
        let mut args = Args::parse(USAGE);
        let options = Self {
            port: args.value("--port", 6379),
            bytes: args.value("--bytes", Size(64 << 20)).0,
            connections: args.value("--connections", 256),
            timeout: args.value("--timeout", 0),
            threads: args.threads(THREADS),
            stats: args.value("--stats", String::new()),
            memory: args.flag("--memory"),
            forbid_allocation: args.flag("--forbid-allocation"),
        };
        if !(1..=server::CONNECTIONS).contains(&options.connections) {
            args.fail(&format!(
                "--connections {}: 1 to {} are possible",
                options.connections,
                server::CONNECTIONS
            ));
        }
        if options.bytes > isize::MAX as usize {
            args.fail(&format!("--bytes {}: no machine has so much", options.bytes));
        }
        if options.bytes < 64 << 10 {
            args.fail(&format!("--bytes {}: at least 64K are needed", options.bytes));
        }
        args.finish();
        options
    }

    /// Where every byte lies; the runtime is started, and the service is there.
    pub fn print_memory_map(&self) {
        println!("{}", unboxed::memory::text());
        println!();
        let used = self.connections * server::connection::memory().block_bytes;
        println!(
            "Static memory that is never touched takes no pages: {} connections touch at most {used} bytes.",
            self.connections
        );
        println!(
            "A key with its value takes cells of {CELL_BYTES} bytes: one for up to 96 bytes of both together,"
        );
        println!("then one more for each 124. One cell in sixteen is kept for replies and large requests.");
        println!("Not here: the program, its threads' stacks, and what the kernel keeps of its own.");
    }
}
