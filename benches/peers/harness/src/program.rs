//! A peer's process.

use crate::building::{Build, Program};
use crate::watch::Page;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// No program takes longer than that; one that does has hung.
const TIME_MAX: Duration = Duration::from_secs(30);

/// Which processors a process may use.
#[derive(Debug, Clone, Copy)]
pub enum Processors {
    /// The first one, so that client and server are apart.
    First,
    All,
}

/// The processor of the load generator, which is not the server's where there are two.
pub const LOAD_PROCESSOR: usize = 1;

/// Binds the calling thread.
pub fn bind(processor: usize) {
    // SAFETY: zeroed is an empty set, which outlives the call.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

fn command(path: &std::path::Path, processors: Processors, page: Option<&Page>) -> Command {
    let mut command = Command::new(path);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(page) = page {
        command.env("PEER_COUNTS_FD", page.fd().to_string());
    }
    let begin = move || {
        if matches!(processors, Processors::First) {
            bind(0);
        }
        // SAFETY: plain system calls, which a forked process may make.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            let files = libc::rlimit { rlim_cur: 20_000, rlim_max: 20_000 };
            libc::setrlimit(libc::RLIMIT_NOFILE, &files);
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only.
    unsafe { command.pre_exec(begin) };
    command
}

/// Runs a program that measures itself, and gives what it printed.
///
/// # Errors
/// What it said when it failed, or that it hung.
pub fn run_to_end(
    build: &Build,
    program: &Program,
    workload: &str,
    values: &[String],
    processors: Processors,
    page: Option<&Page>,
) -> Result<String, String> {
    let mut command = command(&program.path, processors, page);
    command.arg(workload).args(build.peer.values).args(values);
    let child = command.spawn().map_err(|error| error.to_string())?;
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    let waiter = thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(done) = receiver.recv_timeout(TIME_MAX) else {
        // SAFETY: the child has not been waited for, so its number is still its own.
        unsafe { libc::kill(id as i32, libc::SIGKILL) };
        let _ = waiter.join();
        return Err(format!("hung for {} s", TIME_MAX.as_secs()));
    };
    let done = done.map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(format!("{}: {}", done.status, text.lines().next().unwrap_or("no word")))
}

/// A server, until it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    _out: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

impl Server {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// What it said when it did not.
    pub fn start(
        build: &Build,
        program: &Program,
        arguments: &[String],
        page: Option<&Page>,
    ) -> Result<Self, String> {
        let mut command = command(&program.path, Processors::First, page);
        command.args(arguments).args(build.peer.values);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        let port = loop {
            line.clear();
            match out.read_line(&mut line) {
                Ok(1..) if line.starts_with("ready ") => {
                    let port = line.trim().rsplit([' ', ':']).next().and_then(|port| port.parse().ok());
                    break port.ok_or_else(|| format!("{line}: no port"))?;
                }
                Ok(1..) => {}
                _ => {
                    let _ = child.kill();
                    let mut text = String::new();
                    let _ = child.stderr.take().map(|mut err| err.read_to_string(&mut text));
                    let _ = child.wait();
                    return Err(text.lines().next().unwrap_or("ended without a word").to_owned());
                }
            }
        };
        Ok(Self { child, _out: out, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) })
    }

    /// Starts a redis-server, which says nothing that a program could wait for.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn start_redis(program: &Program) -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| error.to_string())?;
        let mut command = command(&program.path, Processors::First, None);
        command.args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "no", "--daemonize", "no", "--loglevel", "warning"]);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > TIME_MAX {
                let _ = child.kill();
                return Err("does not listen".to_owned());
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(Self { child, _out: out, address })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
