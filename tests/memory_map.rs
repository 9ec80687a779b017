//! The map of all memory: nothing static that the runtime uses is left out, and every byte is counted once.

use unboxed::blocking::{BlockingPool, CpuPool};
use unboxed::buf::BufPool;
use unboxed::memory::{self, Row};
use unboxed::recursion::FrameStack;
use unboxed::rt::{Config, RuntimeCell};
use unboxed::storage::{Arena, Bump, Heap, Slab, TaskTable};
use unboxed::sync::{Blocking, Mutex, Threads};

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    memory::for_each(|row| rows.push(row));
    rows
}

/// The rows that lie within a static.
fn rows_of<T>(place: &'static T) -> Vec<Row> {
    let start = std::ptr::from_ref(place).addr();
    rows().into_iter().filter(|row| (start..start + size_of::<T>()).contains(&row.address)).collect()
}

fn bytes_of<T>(place: &'static T) -> usize {
    rows_of(place).iter().map(Row::bytes).sum()
}

#[unboxed::task(pool = 8, ops = 2, bytes = 100)]
async fn waits(mut bytes: unboxed::Bytes<'_>) {
    bytes.fill(1);
    std::future::pending().await
}

#[unboxed::task(ops = 0)]
async fn takes_a_spare() {
    let _ = unboxed::op::nop().await;
}

#[test]
fn every_byte_of_each_static_has_a_row() {
    static CELL: RuntimeCell<32, 2, 4, 6> = RuntimeCell::new();
    static BUFFERS: BufPool<4, 1000> = BufPool::new();
    static TABLE: TaskTable<8, 1> = TaskTable::new();
    static REGION: Bump<1000> = Bump::new();
    static ROOMS: Slab<200, 4> = Slab::new();
    static STACK: FrameStack<5000> = FrameStack::new();
    static ARENA: Arena<Heap> = Arena::new("the heap's", Heap);
    static JOBS: BlockingPool<1, 4, 100> = BlockingPool::new();
    static COMPUTES: CpuPool<1, 4, 100> = CpuPool::new();
    static OVER: Arena<&Slab<200, 4>> = Arena::new("over a slab", &ROOMS);
    let mut runtime = match CELL.start(Config::new()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    REGION.name("my region");
    runtime.block_on(async {
        let leases = [BUFFERS.lease().unwrap(), BUFFERS.lease().unwrap()];
        drop(leases);
        let three = [(); 3].map(|()| waits::spawn().unwrap());
        takes_a_spare::spawn().unwrap().await.unwrap();
        TABLE.spawn(&REGION, async {}).unwrap().await.unwrap();
        TABLE.spawn(&OVER, async {}).unwrap().await.unwrap();
        TABLE.spawn(&ARENA, async {}).unwrap().await.unwrap();
        JOBS.run(|| ()).await.unwrap();
        COMPUTES.run(|_| ()).await.unwrap();
        let mut frames = STACK.frames().unwrap();
        frames.call(|_| std::future::ready(())).await.unwrap();
        unboxed::yield_now().await;
        let memory = waits::memory();
        assert_eq!((memory.used, memory.used_max), (3, 3));
        three.iter().for_each(unboxed::JoinHandle::abort);
    });
    std::thread::spawn(|| {
        static LOCK: Mutex<(), Threads> = Mutex::with_domain(());
        drop(LOCK.lock().blocking());
    })
    .join()
    .unwrap();

    assert_eq!(bytes_of(&CELL), size_of_val(&CELL), "{:#?}", rows_of(&CELL));
    assert_eq!(bytes_of(&BUFFERS), size_of_val(&BUFFERS));
    assert_eq!(bytes_of(&TABLE), size_of_val(&TABLE));
    assert_eq!(bytes_of(&REGION), size_of_val(&REGION));
    assert_eq!(bytes_of(&ROOMS), size_of_val(&ROOMS));
    assert_eq!(bytes_of(&STACK), size_of_val(&STACK));
    assert_eq!(bytes_of(&ARENA), size_of_val(&ARENA));
    assert_eq!(bytes_of(&JOBS), size_of_val(&JOBS));
    assert_eq!(bytes_of(&COMPUTES), size_of_val(&COMPUTES));
    let row = rows_of(&COMPUTES)[0];
    assert_eq!((row.kind, row.pieces, row.used, row.used_max), ("jobs", 4, 0, 1));
    assert_eq!(bytes_of(&OVER), size_of_val(&OVER), "the slab has its own row");

    let one = |kind: &str| rows_of(&CELL).into_iter().find(|row| row.kind == kind).expect("a row");
    let workers = one("workers");
    assert_eq!((workers.pieces, workers.used, workers.used_max), (2, 1, 1));
    let spares = one("spares");
    assert_eq!((spares.pieces, spares.used, spares.used_max), (12, 0, 1));
    let used = |place: Vec<Row>| place.iter().map(|row| (row.used > 0, row.used_max > 0)).collect::<Vec<_>>();
    for rows in [rows_of(&BUFFERS), rows_of(&TABLE), rows_of(&REGION), rows_of(&ROOMS), rows_of(&ARENA)] {
        assert_eq!(used(rows), [(false, true)], "all has been given back, and was used");
    }
    let all = rows();
    let kind = |kind: &str| all.iter().find(|row| row.kind == kind).copied().expect("a row");
    let bells = kind("bells");
    assert!(bells.used >= 1 && bells.used_max >= bells.used);
    let queues = kind("queues");
    assert!(queues.used >= 64 * 256 && queues.used_max >= queues.used, "{queues:?}");
    assert!(kind("parking").used >= 1);
    drop(runtime);
    let workers = rows_of(&CELL).into_iter().find(|row| row.kind == "workers").unwrap();
    assert_eq!((workers.used, workers.used_max), (0, 1));
}

/// Memory of one's own, with a name that JSON must quote.
struct Mine(memory::MapNode);

impl memory::Mapped for Mine {
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let name = "a \"quoted\" \\ it's\n";
        tell(Row {
            kind: "mine\"s",
            name,
            address: 7,
            pieces: 2,
            piece_bytes: 8,
            beside: 4,
            used: 1,
            used_max: 2,
        });
    }
}

#[test]
fn text_and_json_say_the_same() {
    static MINE: Mine = Mine(memory::MapNode::new());
    MINE.0.show(&MINE);
    MINE.0.show(&MINE);
    let text = memory::text().to_string();
    let line = text.lines().find(|line| line.starts_with("mine\"s")).expect("a line");
    let words: Vec<_> = line.split_whitespace().take(5).collect();
    assert_eq!(words, ["mine\"s", "20", "2", "1", "2"]);
    let json = memory::json().to_string();
    let object = r#"{"kind":"mine\"s","name":"a \"quoted\" \\ it's\u000a","address":7,"bytes":20,"pieces":2,"piece_bytes":8,"beside":4,"used":1,"used_max":2}"#;
    assert_eq!(json.matches(object).count(), 1, "{json}");
    assert!(json.starts_with('[') && json.ends_with(']'));
}
