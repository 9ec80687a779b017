//! From sources to programs. Each is built by a command of its own; one that fails is reported, and the rest go on.

use crate::options::Options;
use crate::peers::{self, Peer, Source};
use crate::workloads::{Kind, Workload};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A peer with its program.
#[derive(Debug)]
pub struct Build {
    pub peer: Peer,
    /// The peer's name; with a revision behind it where it is ours of another time.
    pub name: String,
    pub version: String,
    /// Or why there is none.
    pub program: Result<Program, String>,
}

/// What was built.
#[derive(Debug)]
pub struct Program {
    pub path: PathBuf,
    /// Of the stripped file.
    pub bytes: u64,
    /// What it can do.
    workloads: HashSet<String>,
}

impl Program {
    pub fn can(&self, workload: &str) -> bool {
        self.workloads.contains(workload)
    }
}

/// The repository's root.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    root.canonicalize().expect("the harness runs where it was built")
}

/// Where all that is built and written in between lies.
pub fn target() -> PathBuf {
    root().join("target/peers")
}

/// Builds all that the workloads need.
///
/// # Errors
/// When a peer was asked for that does not exist, or the revision cannot be had.
pub fn build(options: &Options, workloads: &[Workload]) -> Result<Vec<Build>, String> {
    for name in options.peers.iter().flatten() {
        if !peers::ALL.iter().any(|peer| peer.name == name) {
            return Err(format!("no peer {name}; `list` shows all"));
        }
    }
    fs::create_dir_all(target().join("logs")).map_err(|error| format!("{}: {error}", target().display()))?;
    let served = |peer: &&Peer| {
        let kv = matches!(peer.source, Source::Example(_) | Source::Installed(_));
        workloads.iter().any(|workload| matches!(workload.kind, Kind::Kv { .. }) == kv)
    };
    let asked = |peer: &&Peer| options.takes_peer(peer.name);
    let asked: Vec<&Peer> = peers::ALL.iter().filter(asked).filter(served).collect();
    let mut builds: Vec<Build> = asked.iter().map(|peer| build_one(peer, &root(), String::new())).collect();
    if let Some(revision) = &options.against {
        let tree = worktree(revision)?;
        let ours = asked.iter().filter(|peer| peer.standing == peers::Standing::Ours);
        builds.extend(ours.map(|peer| build_one(peer, &tree, format!("@{revision}"))));
    }
    Ok(builds)
}

fn build_one(peer: &Peer, tree: &Path, suffix: String) -> Build {
    let name = format!("{}{suffix}", peer.name);
    eprintln!("building {name}");
    let path = program(peer, tree, &name);
    let version = version(peer, tree, path.as_deref().ok()).unwrap_or_else(|| "unknown".to_owned());
    let program = path.and_then(|path| {
        let bytes = fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?.len();
        Ok(Program { workloads: abilities(peer, &path)?, path, bytes })
    });
    if let Err(error) = &program {
        eprintln!("{name} does not build: {error}");
    }
    Build { peer: *peer, name, version, program }
}

/// What the program says it can do.
fn abilities(peer: &Peer, path: &Path) -> Result<HashSet<String>, String> {
    if matches!(peer.source, Source::Example(_) | Source::Installed(_)) {
        return Ok(HashSet::from(["kv".to_owned()]));
    }
    let list = output(Command::new(path).arg("list"), "list")?;
    Ok(String::from_utf8_lossy(&list.stdout).lines().map(str::to_owned).collect())
}

fn program(peer: &Peer, tree: &Path, name: &str) -> Result<PathBuf, String> {
    match peer.source {
        Source::Rust { package, .. } => {
            let folder = tree.join("benches/peers/programs");
            let target = if tree == root() { target() } else { tree.join("target/peers") };
            let build = ["build", "--release", "-p", package];
            let locked = (tree == root()).then_some("--locked");
            let mut cargo = Command::new("cargo");
            cargo.args(build).args(locked).current_dir(folder).env("CARGO_TARGET_DIR", &target);
            logged(&mut cargo, name)?;
            Ok(target.join("release").join(package))
        }
        Source::Example(example) => {
            let mut cargo = Command::new("cargo");
            let build = ["build", "--release", "--locked", "-p", "unboxed-examples", "--example", example];
            let target = tree.join("target");
            logged(cargo.args(build).current_dir(tree).env("CARGO_TARGET_DIR", &target), name)?;
            Ok(target.join("release/examples").join(example))
        }
        Source::C { file, library } => {
            let flags =
                output(Command::new("pkg-config").args(["--cflags", "--libs", library]), "pkg-config")?;
            let path = target().join(format!("{name}-c"));
            let mut cc = Command::new("cc");
            cc.args(["-O2", "-s", "-Wall", "-Wextra", "-o"]).arg(&path);
            cc.arg(tree.join("benches/peers/programs").join(file));
            cc.args(String::from_utf8_lossy(&flags.stdout).split_whitespace());
            logged(&mut cc, name)?;
            Ok(path)
        }
        Source::Installed(command) => {
            let paths = std::env::var_os("PATH").unwrap_or_default();
            let found =
                std::env::split_paths(&paths).map(|path| path.join(command)).find(|path| path.is_file());
            found.ok_or_else(|| format!("{command} is not installed"))
        }
    }
}

/// Runs a build with its output in a file; the last words of it are the error.
fn logged(command: &mut Command, name: &str) -> Result<(), String> {
    let done = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let text = [&done.stdout[..], &done.stderr[..]].concat();
    let log = target().join("logs").join(format!("{}.log", name.replace('/', "-")));
    fs::write(&log, &text).map_err(|error| format!("{}: {error}", log.display()))?;
    if done.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let error =
        text.lines().find(|line| line.starts_with("error")).or(text.lines().last()).unwrap_or_default();
    Err(format!("{error} (all of it in {})", log.display()))
}

fn output(command: &mut Command, what: &str) -> Result<Output, String> {
    let done = command.output().map_err(|error| format!("{what}: {error}"))?;
    if done.status.success() {
        Ok(done)
    } else {
        Err(format!("{what}: {}", String::from_utf8_lossy(&done.stderr)))
    }
}

fn version(peer: &Peer, tree: &Path, path: Option<&Path>) -> Option<String> {
    let first_line = |command: &mut Command| {
        let text = String::from_utf8(command.output().ok()?.stdout).ok()?;
        Some(text.lines().next()?.trim().to_owned())
    };
    match peer.source {
        Source::Example(_) | Source::Rust { krate: Some("unboxed"), .. } => {
            // Another revision's tree always differs, by the programs.
            let dirty = (tree == root()).then_some("--dirty");
            first_line(Command::new("git").args(["describe", "--always"]).args(dirty).current_dir(tree))
        }
        Source::Rust { krate: Some(krate), .. } => {
            let lock = fs::read_to_string(tree.join("benches/peers/programs/Cargo.lock")).ok()?;
            let versions = lock.split("[[package]]").filter_map(|package| {
                let value =
                    |key: &str| package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
                (value("name")?.trim_matches('"') == krate).then(|| value("version"))?
            });
            versions.last().map(|version| version.trim_matches('"').to_owned())
        }
        Source::Rust { krate: None, .. } => Some("the standard library".to_owned()),
        Source::C { library, .. } => first_line(Command::new("pkg-config").args(["--modversion", library])),
        Source::Installed(_) => {
            let line = first_line(Command::new(path?).arg("--version"))?;
            let word = line.split_whitespace().find_map(|word| word.strip_prefix("v="));
            Some(word.unwrap_or(&line).to_owned())
        }
    }
}

/// The tree of another revision, with today's programs in it. What the name means is asked here: in that tree, `HEAD~20`
/// would count from there.
fn worktree(revision: &str) -> Result<PathBuf, String> {
    let mut git = Command::new("git");
    let named = git.args(["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]);
    let commit = output(named.current_dir(root()), "git rev-parse")
        .map_err(|_| format!("--against: no revision {revision} here"))?;
    let commit = String::from_utf8_lossy(&commit.stdout).trim().to_owned();
    let tree = target().join("against");
    if tree.exists() {
        // By force, over the programs that were copied into it.
        let checkout = ["checkout", "-q", "--force", "--detach", &commit];
        output(Command::new("git").args(checkout).current_dir(&tree), "git checkout")?;
    } else {
        // Its folder may have been deleted without git's knowledge.
        let add = ["worktree", "add", "--force", "--detach"];
        let mut git = Command::new("git");
        output(git.args(add).arg(&tree).arg(&commit).current_dir(root()), "git worktree add")?;
    }
    let (from, to) = (root().join("benches/peers/programs"), tree.join("benches/peers"));
    fs::create_dir_all(&to).map_err(|error| format!("{}: {error}", to.display()))?;
    output(Command::new("cp").arg("-r").arg(&from).arg(&to), "cp")?;
    Ok(tree)
}
